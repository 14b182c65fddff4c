// SPDX-License-Identifier: AGPL-3.0-or-later
// As writer.c, one at a time, through zatt::DistributedDict; and what its types and iterators do.
#include <iostream>
#include <limits>
#include <string>
#include <zatt/zatt.hpp>

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::cerr << "not so: " << what << "\n";
}

template <class E, class F>
bool throws(F what) {
  try {
    what();
  } catch (const E&) {
    return true;
  }
  return false;
}

template <class T>
void round_trip(zatt::DistributedDict& d, const T& value) {
  d["round"] = value;
  check(d["round"].as<T>() == value, "a value comes back as it was");
}

void check_types(zatt::DistributedDict& d) {
  round_trip(d, true);
  round_trip(d, -1);
  round_trip(d, std::numeric_limits<std::int64_t>::min());
  round_trip(d, std::numeric_limits<std::uint64_t>::max());
  round_trip(d, 0.1);
  round_trip(d, 1e300);
  round_trip(d, 3.0f);
  round_trip(d, std::string("\"\\\n\t\x01 Zo\xc3\xab \xf0\x9f\x98\x80"));
  round_trip(d, std::string());
  round_trip(d, nullptr);
  round_trip(d, zatt::Json{"[1.0,{\"a\":null}]"});
  d["literal"] = "text";
  const std::string text = d["literal"];
  check(text == "text", "a literal is a string");
  d["copy"] = d["literal"];
  check(d["copy"].as<std::string>() == "text", "one place is assigned to another");
  d["escaped"] = zatt::Json{"\"\\u00e9\\ud83d\\ude00\\/\""};
  check(d["escaped"].as<std::string>() == "\xc3\xa9\xf0\x9f\x98\x80/", "escapes are undone");
  check(throws<zatt::TypeError>([&] { static_cast<void>(d["literal"].as<int>()); }), "TypeError");
  check(throws<zatt::TypeError>([&] { d["nan"] = std::numeric_limits<double>::quiet_NaN(); }),
        "NaN is no JSON");
  check(throws<zatt::KeyError>([&] { static_cast<void>(d["absent"].as<int>()); }), "KeyError");
  check(throws<zatt::Error>([&] { d["bad"] = zatt::Json{"{'a':1}"}; }), "not JSON");
  check(!d.contains("bad") && !d.contains("nan"), "nothing was written");
  check(!d.get<int>("absent"), "get of what is absent");
}

void check_mapping(zatt::DistributedDict& d) {
  check(d.erase("round") && !d.erase("round"), "erase");
  check(d.incr("n", 5) == 5 && d.incr("n") == 6 && d.incr("n", -7) == -1, "incr");
  check(throws<zatt::ConditionFailed>([&] { d.incr("literal"); }), "incr of a text");
  const auto rev = d.client().set("c", 1, zatt::Condition::absent());
  check(d.client().set("c", 2, zatt::Condition::rev(rev)) > rev, "a revision grows");
  try {
    d.client().set("c", 3, zatt::Condition::value("2"));
    check(false, "\"2\" is not 2");
  } catch (const zatt::ConditionFailed& failed) {
    check(failed.found && failed.value == "2" && failed.rev > rev, "the present state");
    check(failed.code() == ZATT_ECONDITION && !failed.may_retry(), "its code");
  }
  check(d.client().erase("c", zatt::Condition::value(2)), "erase under a condition");
  std::size_t seen = 0;
  std::string last;
  for (const auto& [key, value] : d) {
    check(seen == 0 || last < key, "keys ascend");
    check(!value.text.empty(), "each has a value");
    last = key;
    ++seen;
  }
  check(seen == d.size() && !d.empty(), "all of them were there");
  check(d.client().line("{\"op\":\"ping\"}") == "{\"ok\":true}", "a line");
  check(d.client().line("{\"op\":\"gte\"}").find("bad_request") != std::string::npos, "a bad line");
}

void write(zatt::DistributedDict& d, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    std::string outcome = "ok";
    try {
      d[prefix + std::to_string(i)] = i;
    } catch (const zatt::Error& error) {
      outcome = zatt_error_name(error.code());
    }
    std::cout << i << " " << outcome << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return 2;
  zatt::DistributedDict d(argv[1], std::chrono::seconds(20));
  if (argc == 2) {
    check_types(d);
    check_mapping(d);
  } else {
    write(d, argv[2], std::stoi(argv[3]));
  }
  return failures == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
