# SPDX-License-Identifier: AGPL-3.0-or-later
# bash completion for zattd: its options, as it names them itself, and their values.

_zattd() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $before in
    -c | --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      ;;
    -s | --storage)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      ;;
    -a | --address | --remote-address) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    --create) mapfile -t COMPREPLY < <(compgen -W "auto never" -- "$cur") ;;
    -i | --id | -p | --port | --remote-port | --*-ms | --*-bytes) ;; # a name or a number of one's own
    *)
      mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
        grep -Eo '^  (-[a-z], )*--[a-z-]+.*' | grep -Eo -- '--[a-z-]+' | sort -u)" -- "$cur")
      ;;
  esac
}

complete -F _zattd zattd
