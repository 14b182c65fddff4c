# SPDX-License-Identifier: AGPL-3.0-or-later
#
# make          builds zattd, zatt, the libraries     make run      three nodes, to try things on
# make test     all tests, below ten minutes          make soak     the longer forms of the same
# make check    what a change must pass               make sim      SEEDS=200, or SEED=81 to replay one, STANDARD=1, MINUTES=60
# make format   clang-format over everything          make install  PREFIX=/usr/local DESTDIR=; make uninstall
# make fuzz     MINUTES=10, over all decoders         make mutants  each rule broken once; ONLY="name ..." for some
# make sim-bench     how fast the simulator is        make determinism   the same seeds in builds of other compilers
# make armhf         the same for 32-bit ARM, unit tests too, under qemu
# make python-types  mypy --strict over the Python package, where there is a mypy
#
# Variants, each in a folder of its own below build/:
#   make SAN=address,undefined test   V=debug (with debug information)   CXX=clang++   V=name with any CXXFLAGS of your own
# JOBS=1 builds one file at a time (else as many as processors and memory allow); DEPS=no leaves the
# system's packages alone; WERROR= and STRIP=: for packagers.

SHELL := /bin/sh
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL),0)
ifndef JOBS
JOBS := $(shell sh tools/jobs.sh)
endif
MAKEFLAGS += -j$(JOBS)
endif

PREFIX ?= /usr/local
DESTDIR ?=
SEEDS ?= 200
WERROR ?= -Werror
DEPS ?= yes

# --- the variant: where it is built, and how ---
comma := ,
ifeq ($(origin CXX),default)
CXX := g++
endif
# The tools of another machine's compiler have its prefix.
cross := $(patsubst %g++,%,$(filter %-g++,$(CXX)))
AR := $(cross)ar
OBJCOPY ?= $(cross)objcopy
STRIP ?= $(cross)strip
CC := $(if $(findstring clang,$(CXX)),$(subst clang++,clang,$(CXX)),$(subst g++,gcc,$(CXX)))
variant_parts := $(if $(filter g++,$(CXX)),,$(notdir $(CXX))) $(subst $(comma),-,$(SAN))
V ?= $(subst $(eval ) ,-,$(strip $(variant_parts)))
B := $(if $(V),build/$(V),build)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wformat=2 \
        -Wundef $(WERROR)
CXX_WARN := -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
GCC_WARN := -Wduplicated-cond -Wlogical-op -Wuseless-cast
ifeq ($(findstring clang,$(CXX)),)
CXX_WARN += $(GCC_WARN)
# Unique symbols are ones that no library can keep to itself.
NO_UNIQUE := -fno-gnu-unique
endif
# Asked only when a recipe needs it, for `make deps` may have to install a compiler first. Where a
# size has 32 bits, a cast to it is useless that elsewhere is not; in tests, whose numbers are small, so
# is a warning of what a conversion might lose; and g++ talks of what it did before version 7.
word_bytes = $(eval word_bytes := $$(shell echo __SIZEOF_POINTER__ | $(CXX) -E -P -x c -))$(word_bytes)
word_flags = $(if $(filter 4,$(word_bytes)),$(if $(findstring clang,$(CXX)),,-Wno-useless-cast -Wno-psabi) $(if $(filter tests/%,$<),-Wno-conversion))
# Without debug information, which is most of what a compiler writes: V=debug has it.
DEBUG_INFO := $(if $(filter debug,$(V)),-g)
OPTIMIZE := -O2 $(DEBUG_INFO)
ifneq ($(SAN),)
# g++'s flow warnings see ghosts in instrumented code.
OPTIMIZE := -O1 -g1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all \
            $(if $(findstring clang,$(CXX)),,-Wno-maybe-uninitialized)
LINK_SAN := -fsanitize=$(SAN)
endif
# Files beyond 2 GiB and years beyond 2038, where words have 32 bits.
CPP_FLAGS := $(strip -I src -I include -I . -DSIMDJSON_EXCEPTIONS=0 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 $(CPPFLAGS))
# One set of objects for programs and libraries alike, of which each takes the functions that it needs.
CXX_FLAGS := -std=c++20 $(OPTIMIZE) -pthread -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
             $(NO_UNIQUE) $(WARN) $(CXX_WARN) $(CXXFLAGS)
C_FLAGS := -std=c11 -O2 $(DEBUG_INFO) $(WARN) $(CFLAGS)
C_PROGRAM_FLAGS := -std=c99 -D_POSIX_C_SOURCE=200809L -O1 $(DEBUG_INFO) $(WARN) $(if $(SAN),-fsanitize=$(SAN)) $(CFLAGS)

# Asked only when a recipe needs it: `make deps` may have to install pkg-config first.
modules := libuv simdjson libxxhash
module_flags = $(eval module_flags := $$(shell pkg-config --cflags $(modules)))$(module_flags)
client_libs = $(eval client_libs := $$(shell pkg-config --libs simdjson))$(client_libs)
module_libs = $(eval module_libs := $$(shell pkg-config --libs $(modules)))$(module_libs)

# --- what there is: found, never listed ---
mains := $(wildcard src/*/main.cc)
lib_sources := $(filter-out $(mains),$(wildcard src/*/*.cc))
sim_main := $(wildcard tests/sim/main.cc)
fuzz_main := $(wildcard tests/fuzz/main.cc)
test_sources := $(filter-out $(sim_main) $(fuzz_main),$(wildcard tests/*/*.cc))
sim_sources := $(filter-out %_test.cc tests/support/main.cc,$(wildcard tests/sim/*.cc tests/scenario/*.cc tests/support/*.cc tests/storage/*.cc))
fuzz_sources := $(filter-out %_test.cc,$(wildcard tests/fuzz/*.cc tests/support/sim_disk*.cc))
shims := $(patsubst tests/support/%.c,$(B)/%.so,$(wildcard tests/support/*.c))
formatted := $(wildcard src/*/*.h src/*/*.cc tests/*/*.h tests/*/*.cc tests/*/*.c)

# Most of what a compiler does for a file it does for the headers: the files of a folder are compiled
# as one. Not where what is linked is chosen by the file.
units := $(filter-out capi cli zattd,$(sort $(patsubst src/%/,%,$(dir $(lib_sources)))))
unit_objects := $(units:%=$(B)/obj/src/%.o)
apart := $(filter-out $(foreach unit,$(units),src/$(unit)/%),$(lib_sources))
objects = $(patsubst %.cc,$(B)/obj/%.o,$(1))
lib := $(B)/obj/zatt.a
programs := $(patsubst $(B)/cli,$(B)/zatt,$(patsubst src/%/main.cc,$(B)/%,$(mains)))
sim := $(if $(sim_main),$(B)/zatt-sim)
libraries := $(foreach name,zattclient zatt,$(B)/lib$(name).a $(B)/lib$(name).so.0)
c_programs := $(patsubst tests/cluster/%.c,$(B)/%,$(wildcard tests/cluster/*.c))
cpp_programs := $(patsubst tests/cluster/%.cpp,$(B)/%,$(wildcard tests/cluster/*.cpp))
unit_tests := $(if $(test_sources),$(B)/unit-tests)
all_objects := $(call objects,$(mains) $(apart) $(sim_main) $(fuzz_main) $(test_sources))

# --- building ---
.PHONY: all build tests-built deps deps-run deps-tests deps-check help
all: build
	@echo
	@echo "built: $(programs) $(libraries)"
	@echo "to have them on your PATH:  export PATH=\"$(CURDIR)/$(B):\$$PATH\"   or: make install"
	@echo "to try it:  make run"

build: $(programs) $(libraries)
tests-built: deps-tests build $(sim) $(unit_tests) $(shims) $(c_programs) $(cpp_programs)

help:
	@sed -n '3,15s/^# \{0,1\}//p' Makefile

deps:
ifneq ($(DEPS),no)
	@CXX="$(CXX)" sh tools/deps.sh
endif
deps-run: deps
ifneq ($(DEPS),no)
	@CXX="$(CXX)" sh tools/deps.sh run
endif
deps-tests: deps
ifneq ($(DEPS),no)
	@CXX="$(CXX)" sh tools/deps.sh tests
endif
deps-check: deps-tests
ifneq ($(DEPS),no)
	@CXX="$(CXX)" sh tools/deps.sh check
endif

# Changes only when what it says changes, so that other flags, or a source that is gone, rebuild.
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' > $$@
endef
.PHONY: FORCE
$(eval $(call stamp,$(B)/obj/flags,$(CXX) $(CPP_FLAGS) $(CXX_FLAGS) $(LDFLAGS)))
$(eval $(call stamp,$(B)/obj/lib-sources,$(lib_sources)))
$(eval $(call stamp,$(B)/obj/test-sources,$(test_sources)))

# Tests are compiled more often than run: half the time for nothing that they would say.
$(filter %_test.o,$(all_objects)): TEST_FLAGS := -O1 -DDOCTEST_CONFIG_SUPER_FAST_ASSERTS

compile = $(CXX) $(CPP_FLAGS) $(module_flags) $(CXX_FLAGS) $(word_flags) $(TEST_FLAGS) -MMD -MP -c $< -o $@

# What waits for people or for a network, or reads what a start needs once, is to be small: each
# program and library has it.
$(filter $(B)/obj/src/cli/% $(B)/obj/src/zattd/%,$(all_objects)) $(B)/obj/src/config.o $(B)/obj/src/client.o: CXX_FLAGS += -Os

# Tests need what users do not.
$(filter $(B)/obj/tests/%,$(all_objects)): | deps-tests
$(all_objects): $(B)/obj/%.o: %.cc $(B)/obj/flags | deps
	@mkdir -p $(@D)
	@echo "CXX   $<"
	@$(compile)

define unit_rule
$(B)/obj/src/$(1).cc: FORCE
	@mkdir -p $$(@D)
	@printf '#include "%s"\n' $(2) | cmp -s - $$@ || printf '#include "%s"\n' $(2) > $$@
endef
$(foreach unit,$(units),$(eval $(call unit_rule,$(unit),$(sort $(filter src/$(unit)/%,$(lib_sources))))))

# Included by one file only, a .cc is no header, for which alone that warning is right.
$(unit_objects): $(B)/obj/src/%.o: $(B)/obj/src/%.cc $(B)/obj/flags | deps
	@echo "CXX   src/$*/*.cc"
	@$(compile) $(if $(findstring clang,$(CXX)),,-Wno-subobject-linkage)

$(lib): $(unit_objects) $(call objects,$(apart)) $(B)/obj/lib-sources
	@echo "AR    $@"
	@rm -f $@
	@$(AR) rcs $@ $(filter %.o,$^)

link = echo "LINK  $@" && $(CXX) $(CXX_FLAGS) $(LINK_SAN) -Wl,--gc-sections $(LDFLAGS) $(filter %.o,$^) $(lib) $(module_libs) -o $@

$(filter-out $(B)/zatt,$(programs)): $(B)/%: $(B)/obj/src/%/main.o $(lib)
	@$(link)

$(B)/zatt-sim: $(call objects,$(sim_sources)) $(lib)
	@$(link)

$(B)/unit-tests: $(call objects,$(test_sources)) $(lib) $(B)/obj/test-sources
	@$(link)

$(shims): $(B)/%.so: tests/support/%.c Makefile | deps
	@mkdir -p $(@D)
	@echo "CC    $<"
	@$(CC) $(C_FLAGS) -fPIC -shared $< -o $@ -ldl

# --- the libraries: one object each, in which only zatt_ names are left to be seen ---
.PHONY: libraries
libraries: $(libraries)

# What a client calls; the linker finds what that needs.
client_roots := $(call objects,$(wildcard src/capi/client*.cc) src/capi/errors.cc)
node_roots := $(call objects,$(wildcard src/capi/*.cc))
$(B)/obj/zattclient.o: $(client_roots) $(lib)
$(B)/obj/zatt.o: $(node_roots) $(lib)
$(B)/obj/zattclient.o $(B)/obj/zatt.o:
	@$(CXX) -r -nostdlib -Wl,--force-group-allocation -Wl,--gc-sections -Wl,--gc-keep-exported $(filter %.o,$^) $(lib) -o $@.all
	@$(OBJCOPY) --wildcard --keep-global-symbol='zatt_*' --strip-unneeded $@.all $@
	@rm -f $@.all

$(B)/lib%.a: $(B)/obj/%.o
	@echo "AR    $@"
	@rm -f $@
	@$(AR) rcs $@ $<

# All that it names is found: -z defs. A sanitizer's own names are not there before the program is.
$(B)/lib%.so.0: $(B)/obj/%.o
	@echo "LINK  $@"
	@$(CXX) -shared -Wl,--gc-sections -Wl,-soname,$(@F) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -pthread $(LINK_SAN) $(LDFLAGS) $< \
	  $(if $(findstring client,$(@F)),$(client_libs),$(module_libs)) -o $@
	@ln -sf $(@F) $(@:.0=)

# The command is a user of the library as any other, and takes a few functions of base/ and json/
# besides. It looks for a line editor when it runs.
$(B)/zatt: $(call objects,$(wildcard src/cli/*.cc)) $(B)/libzattclient.a $(lib)
	@echo "LINK  $@"
	@$(CXX) $(CXX_FLAGS) $(LINK_SAN) -Wl,--gc-sections $(LDFLAGS) $(filter %.o %.a,$^) $(client_libs) -ldl -o $@

# Programs of users, as the tests run them.
$(c_programs): $(B)/%: tests/cluster/%.c $(B)/libzatt.so.0 include/zatt/zatt.h
	@echo "CC    $<"
	@$(CC) $(C_PROGRAM_FLAGS) -I include $< -L $(B) -lzatt $$(pkg-config --libs libuv) $(LINK_SAN) \
	  -Wl,-rpath,'$$ORIGIN' -o $@

$(cpp_programs): $(B)/%: tests/cluster/%.cpp $(B)/libzattclient.so.0 include/zatt/zatt.h include/zatt/zatt.hpp
	@echo "CXX   $<"
	@$(CXX) $(filter-out -std=c++20 -fvisibility=hidden,$(CXX_FLAGS)) -std=c++17 -I include $< -L $(B) -lzattclient \
	  $(LINK_SAN) -Wl,-rpath,'$$ORIGIN' -o $@

-include $(all_objects:.o=.d) $(unit_objects:.o=.d)

# --- running and testing ---
.PHONY: run test soak sim sim-bench determinism mutants unit-test armhf
run: build deps-run
	@exec python3 tools/run_cluster.py --build $(B)

test: tests-built
	@exec python3 tools/run_tests.py --build $(B)

unit-test: deps-tests $(unit_tests)
	@exec python3 tools/run_tests.py --build $(B) --only unit

soak: tests-built
	@exec python3 tools/run_tests.py --build $(B) --soak

sim: deps $(sim)
	@exec $(sim) $(if $(SEED),--seed $(SEED) --trace,$(if $(MINUTES),--minutes $(MINUTES),--seeds $(SEEDS))) \
	  $(if $(STANDARD),--standard) $(SIM_FLAGS)

sim-bench: deps $(sim)
	@exec python3 tools/sim_bench.py --build $(B)

# The same seeds in builds of other compilers and flags: the same days.
determinism: deps $(sim)
	@$(MAKE) DEPS=no V=debug CXXFLAGS=-O0 build/debug/zatt-sim
	@$(MAKE) DEPS=no CXX=clang++ build/clang++/zatt-sim
	@$(MAKE) DEPS=no SAN=address,undefined build/address-undefined/zatt-sim
	@exec python3 tools/check_determinism.py build build/debug build/clang++ build/address-undefined

# The same days, and the same unit tests, where a word has 32 bits and a char no sign; but for two
# about this process alone: the emulator has threads of its own, and takes no limit of memory.
armhf_root := $(CURDIR)/build/armhf/sysroot
armhf_lib := $(armhf_root)/usr/lib/arm-linux-gnueabihf
armhf: deps-tests $(sim)
	@sh tools/armhf.sh sysroot $(armhf_root)
	@PKG_CONFIG_LIBDIR=$(armhf_lib)/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(armhf_root) \
	  $(MAKE) DEPS=no V=armhf CXX=arm-linux-gnueabihf-g++ CPPFLAGS="-isystem $(armhf_root)/usr/include" \
	  LDFLAGS="-L$(armhf_lib) -Wl,-rpath-link,$(armhf_lib)" build build/armhf/unit-tests build/armhf/zatt-sim
	@sh tools/armhf.sh wrap $(armhf_root) $(CURDIR)/build/armhf
	@build/armhf/run/unit-tests -tce='threads: whether the system*,threads(): those that live*'
	@exec python3 tools/check_determinism.py --seeds $(SEEDS) build build/armhf/run

# Needs nothing but the tests themselves, built: copies are made of them, one a core.
mutants: deps $(sim) $(unit_tests)
	@exec python3 tools/mutants.py --build $(B) $(ONLY)

# --- fuzzing: by clang, in a variant of its own, one program that is called by each target's name ---
.PHONY: fuzz
FUZZ_CXX ?= clang++
FUZZ_B := build/fuzz
FUZZ_FLAGS := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz:
ifneq ($(DEPS),no)
	@CXX="$(FUZZ_CXX)" sh tools/deps.sh fuzz
endif
	@$(MAKE) CXX="$(FUZZ_CXX)" V=fuzz CXXFLAGS="$(FUZZ_FLAGS)" $(FUZZ_B)/zatt-fuzz
	@exec python3 tools/fuzz.py --build $(FUZZ_B) --minutes $(or $(MINUTES),5)

$(FUZZ_B)/zatt-fuzz: $(call objects,$(fuzz_sources)) $(lib)
	@$(link) -fsanitize=fuzzer

# --- what a change must pass ---
.PHONY: check check-built format format-check floors tidy python-types
check: format-check floors tidy python-types tests-built
	@exec python3 tools/run_tests.py --build $(B)

format: deps-check
	@clang-format -i $(formatted)

format-check: deps-check
	@clang-format --dry-run --Werror $(formatted) || { echo "remedy: make format"; exit 1; }

floors: deps
	@python3 tools/check_floors.py
	@python3 tools/check_error_codes.py
	@python3 tools/mutants.py --list >/dev/null

# mypy is worth having, and nothing to stop for.
python-types:
ifneq ($(DEPS),no)
	@sh tools/deps.sh types || true
endif
	@python3 tools/python_types.py

# A stamp a file: only what changed, headers included, is looked at again.
tidied := $(patsubst %.cc,$(B)/tidy/%.ok,$(mains) $(lib_sources))
tidy: $(tidied)
-include $(tidied:.ok=.d)
$(tidied): $(B)/tidy/%.ok: %.cc .clang-tidy | deps-check
	@mkdir -p $(@D)
	@echo "TIDY  $<"
	@$(CXX) $(CPP_FLAGS) $(module_flags) -std=c++20 -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPP_FLAGS) $(module_flags) -std=c++20 2>$@.log \
	  || { cat $@.log; exit 1; }
	@rm -f $@.log
	@touch $@

# --- installing and cleaning ---
.PHONY: install uninstall clean
version := $(shell sed -n 's/.*version_text = "\(.*\)";/\1/p' src/base/version.h)
# All of it is put together here, stripped, then copied, and listed for `make uninstall`.
# Of each place its own: two installations may be under way.
stage = $(B)/stage-$(shell printf %s '$(DESTDIR)$(PREFIX)' | cksum | cut -d' ' -f1)
root := $(stage)$(PREFIX)
lib_dir := $(root)/lib
doc_dir := $(root)/share/doc/zatt
man_dir := $(root)/share/man
# Below PREFIX, where python3 looks; PYTHON_DIR= says where else.
PYTHON_DIR ?= $(shell python3 tools/python_dir.py "$(PREFIX)" 2>/dev/null || echo "$(PREFIX)/lib/python3/site-packages")
# Places of this installation, put into what names them.
place = sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(version)|g; s|/usr/local/bin/|$(PREFIX)/bin/|g' $(1) > $(2) && chmod 644 $(2)

install: build
	@rm -rf $(stage)
	@install -d $(root)/bin $(lib_dir)/pkgconfig $(lib_dir)/systemd/system $(root)/include/zatt $(doc_dir)/examples \
	  $(man_dir)/man1 $(man_dir)/man8 $(root)/share/bash-completion/completions $(root)/share/zsh/site-functions \
	  $(stage)$(PYTHON_DIR)
	@install -m 755 $(programs) $(root)/bin/
	@install -m 644 $(filter %.a,$(libraries)) $(lib_dir)/
	@install -m 755 $(filter %.so.0,$(libraries)) $(lib_dir)/
	@$(if $(DEBUG_INFO),:,$(STRIP) $(root)/bin/* && $(STRIP) --strip-unneeded $(lib_dir)/*.so.0 $(lib_dir)/*.a)
	@for name in zattclient zatt; do ln -sf lib$$name.so.0 $(lib_dir)/lib$$name.so; done
	@install -m 644 include/zatt/* $(root)/include/zatt/
	@$(call place,conf/zatt.pc.in,$(lib_dir)/pkgconfig/zatt.pc)
	@$(call place,conf/zatt-client.pc.in,$(lib_dir)/pkgconfig/zatt-client.pc)
	@$(call place,conf/zattd.service,$(lib_dir)/systemd/system/zattd.service)
	@install -m 644 README.md LICENSE docs/PROTOCOL.md conf/zatt.conf $(doc_dir)/
	@install -m 644 docs/examples/* $(doc_dir)/examples/
	@install -m 644 docs/man/zatt.1 $(man_dir)/man1/
	@install -m 644 docs/man/zattd.8 $(man_dir)/man8/
	@for name in zatt zattd; do \
	  install -m 644 conf/completion/$$name.bash $(root)/share/bash-completion/completions/$$name && \
	  install -m 644 conf/completion/_$$name $(root)/share/zsh/site-functions/_$$name || exit 1; done
	@cd tools/python && find zatt -type f ! -name '*.pyc' -exec install -D -m 644 {} $(abspath $(stage))$(PYTHON_DIR)/{} ';'
	@sh tools/install.sh copy "$(stage)" "$(DESTDIR)" "$(PREFIX)"
	@rm -rf $(stage)
	@echo "installed below $(DESTDIR)$(PREFIX); \`make uninstall\` with the same PREFIX removes it again"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig 2>/dev/null || true

# What was installed, and the folders that are then empty; never data, nor a configuration.
uninstall:
	@sh tools/install.sh remove "$(DESTDIR)" "$(PREFIX)"
	@echo "removed from $(DESTDIR)$(PREFIX); data and configuration (/var/lib/zatt, /etc/zatt) stay"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig 2>/dev/null || true

clean:
	rm -rf build
