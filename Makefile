# SPDX-License-Identifier: AGPL-3.0-or-later
#
# make          builds zattd and zatt-sim             make run      three nodes, to try things on
# make test     all tests, below ten minutes          make soak     the longer forms of the same
# make check    what a change must pass               make sim      SEEDS=200, or SEED=81 to replay one, STANDARD=1, MINUTES=60
# make format   clang-format over everything          make install  PREFIX=/usr/local DESTDIR=
# make fuzz     MINUTES=10, over all decoders         make mutants  each rule broken once; ONLY="name ..." for some
# make sim-bench     how fast the simulator is        make determinism   the same seeds in builds of other compilers
#
# Variants, each in a folder of its own below build/:
#   make SAN=address,undefined test   V=debug (with debug information)   CXX=clang++   V=name with any CXXFLAGS of your own
# JOBS=1 builds one file at a time; DEPS=no leaves the system's packages alone; WERROR= for packagers.

SHELL := /bin/sh
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
ifeq ($(MAKELEVEL),0)
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
# Without debug information, which is most of what a compiler writes: V=debug has it.
DEBUG_INFO := $(if $(filter debug,$(V)),-g)
OPTIMIZE := -O2 $(DEBUG_INFO)
ifneq ($(SAN),)
# g++'s flow warnings see ghosts in instrumented code.
OPTIMIZE := -O1 -g1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all \
            $(if $(findstring clang,$(CXX)),,-Wno-maybe-uninitialized)
LINK_SAN := -fsanitize=$(SAN)
endif
CPP_FLAGS := $(strip -I src -I include -I . -DSIMDJSON_EXCEPTIONS=0 $(CPPFLAGS))
# One set of objects for programs and libraries alike.
CXX_FLAGS := -std=c++20 $(OPTIMIZE) -pthread -fPIC -fvisibility=hidden $(NO_UNIQUE) $(WARN) $(CXX_WARN) $(CXXFLAGS)
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

objects = $(patsubst %.cc,$(B)/obj/%.o,$(1))
lib := $(B)/obj/zatt.a
programs := $(patsubst $(B)/cli,$(B)/zatt,$(patsubst src/%/main.cc,$(B)/%,$(mains)))
sim := $(if $(sim_main),$(B)/zatt-sim)
libraries := $(foreach name,zattclient zatt,$(B)/lib$(name).a $(B)/lib$(name).so.0)
c_programs := $(patsubst tests/cluster/%.c,$(B)/%,$(wildcard tests/cluster/*.c))
cpp_programs := $(patsubst tests/cluster/%.cpp,$(B)/%,$(wildcard tests/cluster/*.cpp))
unit_tests := $(if $(test_sources),$(B)/unit-tests)
all_objects := $(call objects,$(mains) $(lib_sources) $(sim_main) $(fuzz_main) $(test_sources))

# --- building ---
.PHONY: all build tests-built deps deps-check help
all: build
	@echo
	@echo "built: $(programs) $(sim) $(libraries)"
	@echo "to have them on your PATH:  export PATH=\"$(CURDIR)/$(B):\$$PATH\"   or: make install"
	@echo "to try it:  make run"

build: $(programs) $(sim) $(libraries)
tests-built: build $(unit_tests) $(shims) $(c_programs) $(cpp_programs)

help:
	@sed -n '3,11s/^# \{0,1\}//p' Makefile

deps:
ifneq ($(DEPS),no)
	@CXX="$(CXX)" sh tools/deps.sh
endif
deps-check: deps
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

$(all_objects): $(B)/obj/%.o: %.cc $(B)/obj/flags | deps
	@mkdir -p $(@D)
	@echo "CXX   $<"
	@$(CXX) $(CPP_FLAGS) $(module_flags) $(CXX_FLAGS) $(TEST_FLAGS) -MMD -MP -c $< -o $@

$(lib): $(call objects,$(lib_sources)) $(B)/obj/lib-sources
	@echo "AR    $@"
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

link = echo "LINK  $@" && $(CXX) $(CXX_FLAGS) $(LINK_SAN) $(LDFLAGS) $(filter %.o,$^) $(lib) $(module_libs) -o $@

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
client_roots := $(call objects,src/capi/client.cc src/capi/errors.cc)
node_roots := $(call objects,$(wildcard src/capi/*.cc))
$(B)/obj/zattclient.o: $(client_roots) $(lib)
$(B)/obj/zatt.o: $(node_roots) $(lib)
$(B)/obj/zattclient.o $(B)/obj/zatt.o:
	@$(CXX) -r -nostdlib -Wl,--force-group-allocation $(filter %.o,$^) $(lib) -o $@.all
	@objcopy --wildcard --keep-global-symbol='zatt_*' $@.all $@
	@rm -f $@.all

$(B)/lib%.a: $(B)/obj/%.o
	@echo "AR    $@"
	@rm -f $@
	@ar rcs $@ $<

# All that it names is found: -z defs. A sanitizer's own names are not there before the program is.
$(B)/lib%.so.0: $(B)/obj/%.o
	@echo "LINK  $@"
	@$(CXX) -shared -Wl,-soname,$(@F) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -pthread $(LINK_SAN) $(LDFLAGS) $< \
	  $(if $(findstring client,$(@F)),$(client_libs),$(module_libs)) -o $@
	@ln -sf $(@F) $(@:.0=)

# The command is a user of the library as any other.
$(B)/zatt: $(call objects,$(wildcard src/cli/*.cc)) $(B)/libzattclient.a
	@echo "LINK  $@"
	@$(CXX) $(CXX_FLAGS) $(LINK_SAN) $(LDFLAGS) $(filter %.o %.a,$^) $(client_libs) -o $@

# Programs of users, as the tests run them.
$(c_programs): $(B)/%: tests/cluster/%.c $(B)/libzatt.so.0 include/zatt/zatt.h
	@echo "CC    $<"
	@$(CC) $(C_PROGRAM_FLAGS) -I include $< -L $(B) -lzatt $$(pkg-config --libs libuv) $(LINK_SAN) \
	  -Wl,-rpath,'$$ORIGIN' -o $@

$(cpp_programs): $(B)/%: tests/cluster/%.cpp $(B)/libzattclient.so.0 include/zatt/zatt.h include/zatt/zatt.hpp
	@echo "CXX   $<"
	@$(CXX) $(filter-out -std=c++20 -fvisibility=hidden,$(CXX_FLAGS)) -std=c++17 -I include $< -L $(B) -lzattclient \
	  $(LINK_SAN) -Wl,-rpath,'$$ORIGIN' -o $@

-include $(all_objects:.o=.d)

# --- running and testing ---
.PHONY: run test soak sim sim-bench determinism mutants unit-test
run: build
	@exec python3 tools/run_cluster.py --build $(B)

test: tests-built
	@exec python3 tools/run_tests.py --build $(B)

unit-test: deps $(unit_tests)
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
.PHONY: check check-built format format-check floors tidy
check: format-check floors tidy tests-built
	@exec python3 tools/run_tests.py --build $(B)

format: deps-check
	@clang-format -i $(formatted)

format-check: deps-check
	@clang-format --dry-run --Werror $(formatted) || { echo "remedy: make format"; exit 1; }

floors: deps
	@python3 tools/check_floors.py
	@python3 tools/mutants.py --list >/dev/null

# A stamp a file, behind its object: only what changed, headers included, is looked at again.
tidied := $(patsubst %.cc,$(B)/tidy/%.ok,$(mains) $(lib_sources))
tidy: $(tidied)
$(tidied): $(B)/tidy/%.ok: %.cc $(B)/obj/%.o .clang-tidy | deps-check
	@mkdir -p $(@D)
	@echo "TIDY  $<"
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPP_FLAGS) $(module_flags) -std=c++20 2>$@.log \
	  || { cat $@.log; exit 1; }
	@rm -f $@.log
	@touch $@

# --- installing and cleaning ---
.PHONY: install clean
version := $(shell sed -n 's/.*version_text = "\(.*\)";/\1/p' src/base/version.h)
bin_dir := $(DESTDIR)$(PREFIX)/bin
lib_dir := $(DESTDIR)$(PREFIX)/lib
share_dir := $(DESTDIR)$(PREFIX)/share
# Places of this installation, put into what names them.
place = sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(version)|g; s|/usr/local/bin/|$(PREFIX)/bin/|g' $(1) > $(2) && chmod 644 $(2)

install: build
	install -d $(bin_dir) $(lib_dir)/pkgconfig $(lib_dir)/systemd/system $(DESTDIR)$(PREFIX)/include/zatt \
	  $(share_dir)/doc/zatt $(share_dir)/man/man1 $(share_dir)/man/man8 \
	  $(share_dir)/bash-completion/completions $(share_dir)/zsh/site-functions
	install -m 755 $(programs) $(bin_dir)/
	install -m 644 $(filter %.a,$(libraries)) $(lib_dir)/
	install -m 755 $(filter %.so.0,$(libraries)) $(lib_dir)/
	for name in zattclient zatt; do ln -sf lib$$name.so.0 $(lib_dir)/lib$$name.so; done
	install -m 644 include/zatt/* $(DESTDIR)$(PREFIX)/include/zatt/
	$(call place,conf/zatt.pc.in,$(lib_dir)/pkgconfig/zatt.pc)
	$(call place,conf/zatt-client.pc.in,$(lib_dir)/pkgconfig/zatt-client.pc)
	$(call place,conf/zattd.service,$(lib_dir)/systemd/system/zattd.service)
	install -m 644 README.md docs/PROTOCOL.md conf/zatt.conf $(share_dir)/doc/zatt/
	install -m 644 docs/man/zatt.1 $(share_dir)/man/man1/
	install -m 644 docs/man/zattd.8 $(share_dir)/man/man8/
	install -m 644 conf/completion/zatt.bash $(share_dir)/bash-completion/completions/zatt
	install -m 644 conf/completion/_zatt $(share_dir)/zsh/site-functions/_zatt
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig 2>/dev/null || true

clean:
	rm -rf build
