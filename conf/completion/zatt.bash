# SPDX-License-Identifier: AGPL-3.0-or-later
# bash completion for zatt: verbs, options, files, and the keys of the cluster.

# COMP_WORDS, with what ':' and '=' have cut apart put together again: words and cword.
_zatt_words() {
  local i word line=$COMP_LINE blank
  words=() cword=0
  for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
    word=${COMP_WORDS[i]}
    blank=${line%%[![:space:]]*}
    line=${line#"$blank"}
    if [[ -n $blank || $i -eq 0 || -z $word ]]; then
      words+=("$word")
    else
      words[${#words[@]} - 1]+=$word
    fi
    line=${line#"$word"}
    if ((i == COMP_CWORD)); then cword=$((${#words[@]} - 1)); fi
  done
}

# What was typed of a key, without the shell's quoting.
_zatt_unquoted() {
  local text=$1
  case $text in
    \'* | \"*) text=${text:1} ;;
    *) text=${text//\\/} ;;
  esac
  printf '%s' "$text"
}

# The keys that begin with what was typed, as far as a server says them at once. Where there are more,
# what those shown have in common is not what all have: an entry that adds nothing keeps the shell from
# inserting it.
_zatt_keys() {
  local key most=200 shown=0 quote=${cur:0:1}
  while IFS= read -r key; do
    if ((++shown > most)); then
      [[ $quote == [\'\"] ]] && COMPREPLY+=("${cur:1}…") || COMPREPLY+=("$cur…")
      break
    fi
    [[ $key == \"* ]] && continue # one that is only for looking at
    [[ $quote == [\'\"] ]] || printf -v key '%q' "$key"
    COMPREPLY+=("$key")
  done < <("${words[0]}" ls -n $((most + 1)) -t 0.5 ${servers:+"--servers=$servers"} \
    -- "$(_zatt_unquoted "$cur")" 2>/dev/null)
}

# @FILE: readline would take the @ for a part of the name, and quote it.
_zatt_file_values() {
  local file path
  path=$(_zatt_unquoted "${cur#@}")
  while IFS= read -r file; do
    if [[ -d $file ]]; then
      file+=/
      compopt -o nospace 2>/dev/null
    fi
    printf -v file '@%q' "$file"
    COMPREPLY+=("$file")
  done < <(compgen -f -- "$path")
}

_zatt_options() {
  local options="--servers --timeout --json --help"
  case $1 in
    get) options+=" --raw --stale" ;;
    set) options+=" --as-json --string --if-absent --if-exists --if-rev --if-value" ;;
    incr) options+=" --if-absent --if-exists --if-rev --if-value" ;;
    del) options+=" --if-rev --if-value --prefix --yes" ;;
    ls | scan) options+=" --limit --stale" ;;
    count | export) options+=" --stale" ;;
    import) options+=" --if-absent" ;;
    status) options+=" --watch" ;;
    -) options+=" --keep-going" ;;
    "") options+=" --version" ;;
  esac
  printf '%s' "$options"
}

_zatt() {
  local verbs="get set del incr ls scan count export import raw status members wait help"
  local words cword cur i verb="" servers="" operands=0 ended=""
  COMPREPLY=()
  _zatt_words
  cur=${words[cword]}
  for ((i = 1; i < cword; i++)); do
    if [[ -n $ended || ${words[i]} != -* || ${words[i]} == -[0-9]* || ${words[i]} == - ]]; then
      if [[ -z $verb ]]; then verb=${words[i]}; else ((++operands)); fi
      continue
    fi
    case ${words[i]} in
      --) ended=yes ;;
      --servers=*) servers=${words[i]#*=} ;;
      -s | --servers) servers=${words[++i]} ;;
      -t | --timeout | -n | --limit | -p | --prefix | --if-rev | --if-value) ((++i)) ;;
    esac
  done

  if ((i > cword)); then # the value of an option
    case ${words[cword - 1]} in
      -s | --servers) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
      -p | --prefix) _zatt_keys ;;
    esac
  elif [[ -z $ended && $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_zatt_options "$verb")" -- "$cur")
  else
    case $verb:$operands in
      :* | help:0) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
      get:* | set:*[02468] | incr:0 | del:* | ls:0 | scan:0 | count:0 | export:0) _zatt_keys ;;
      import:0)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
      set:*[13579])
        [[ $cur == @* ]] && _zatt_file_values
        ;;
    esac
  fi

  # readline replaces only what stands behind the last of its word breaks.
  local breaks=$cur
  if [[ $cur != [\'\"]* && $COMP_WORDBREAKS == *:* && $cur == *[:=]* ]]; then
    breaks=${cur%"${cur##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$breaks"}")
  fi
}

complete -F _zatt zatt
