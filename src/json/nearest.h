// SPDX-License-Identifier: AGPL-3.0-or-later
// The name that a person who mistyped one probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace zatt::json {

// The nearest of the known names: one mistake (a letter too few, too many, another, or two
// swapped) for each three letters, or a beginning of it. Empty where none is that near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

// `; did you mean "value"?`, or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

// In double quotes, shortened where it is long: what a message shows of what somebody sent.
std::string quoted(std::string_view name);

}  // namespace zatt::json
