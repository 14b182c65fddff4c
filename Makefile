# SPDX-License-Identifier: AGPL-3.0-or-later
# skeleton, replaced soon
V ?= debug
WERROR ?= -Werror
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast \
        -Wcast-qual -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wundef $(WERROR)
