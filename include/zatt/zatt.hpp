// SPDX-License-Identifier: AGPL-3.0-or-later
//
// zatt in C++17: a dictionary that many machines share, over zatt.h.
//
//   zatt::DistributedDict d("127.0.0.1:5254,127.0.0.1:5255");
//   d["key1"] = 0;
//   int v = d["key1"];
//   for (const auto& [key, value] : d) std::cout << key << " = " << value.text << "\n";
//
// Values are JSON: bool, integers, floating point, strings, nullptr and zatt::Json (any JSON, as
// text) can be set and read; for a type of your own specialize zatt::Convert. Each access asks the
// cluster: d["n"] += 1, which is two requests, does not compile, d.incr("n") is one.
//
// Objects belong to one thread at a time. Whatever goes wrong is thrown: Error and what derives
// from it. Link with libzattclient: c++ app.cpp $(pkg-config --cflags --libs zatt-client)
#pragma once

#if __cplusplus < 201703L
#error "zatt.hpp needs C++17 or later: compile with -std=c++17. (zatt.h does with less.)"
#else

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "zatt.h"

namespace zatt {
inline namespace api {  // apart from the library's own names

// --- what is thrown ---

class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const noexcept { return code_; }                  // ZATT_E...
  int kind() const noexcept { return zatt_error_kind(code_); }  // ZATT_KIND_...
  // Whether it certainly did not happen and may be tried again.
  bool may_retry() const noexcept { return kind() == ZATT_KIND_RETRY; }

 private:
  int code_;
};

// A write may have happened, may happen later, or never. Repeat it only under a condition.
class OutcomeUnknown : public Error {
 public:
  using Error::Error;
};

// A condition did not hold (or incr met no integer), and nothing was changed.
class ConditionFailed : public Error {
 public:
  ConditionFailed(const std::string& message, bool is_there, std::string text, std::uint64_t its_rev)
      : Error(ZATT_ECONDITION, message), found(is_there), value(std::move(text)), rev(its_rev) {}
  bool found;         // whether the key exists
  std::string value;  // JSON text, as it is
  std::uint64_t rev;
};

// There is no such key.
class KeyError : public std::out_of_range {
 public:
  using std::out_of_range::out_of_range;
};

// The value is JSON of another type than was asked for.
class TypeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// --- values ---

struct Json {
  std::string text;
  friend bool operator==(const Json& a, const Json& b) { return a.text == b.text; }
  friend bool operator!=(const Json& a, const Json& b) { return a.text != b.text; }
};

namespace detail {

[[noreturn]] inline void wrong_type(const char* wanted, std::string_view text) {
  throw TypeError("the value is not " + std::string(wanted) + ": " + std::string(text.substr(0, 80)));
}

// Only what JSON demands is escaped, as all clients of zatt do: conditions compare texts.
inline std::string quote(std::string_view characters) {
  std::string out = "\"";
  for (const char c : characters) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[7];
      const char* const brief = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r"
                              : c == '\b' ? "\\b" : c == '\f' ? "\\f" : nullptr;
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += brief != nullptr ? brief : escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

inline void append_utf8(std::string& out, unsigned code) {
  const auto add = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

inline unsigned hex4(std::string_view text, std::size_t at) {
  unsigned code = 0;
  if (at + 4 > text.size()) wrong_type("a string", text);
  std::from_chars(text.data() + at, text.data() + at + 4, code, 16);
  return code;
}

// The text is JSON already: the server has checked it.
inline std::string unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') wrong_type("a string", text);
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case 'r': out += '\r'; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'u': {
        unsigned code = hex4(text, i + 1);
        i += 4;
        if (code >= 0xd800 && code < 0xdc00) {
          code = 0x10000 + ((code - 0xd800) << 10) + (hex4(text, i + 3) - 0xdc00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default: out += text[i];
    }
  }
  return out;
}

}  // namespace detail

// How a type becomes JSON text and back. Specialize it for your own:
//   template <> struct zatt::Convert<Point> { static std::string to_json(const Point&); static Point
//   from_json(std::string_view); };
template <class T, class = void>
struct Convert;

template <>
struct Convert<Json> {
  static std::string to_json(const Json& value) { return value.text; }
  static Json from_json(std::string_view text) { return {std::string(text)}; }
};

template <>
struct Convert<std::nullptr_t> {
  static std::string to_json(std::nullptr_t) { return "null"; }
  static std::nullptr_t from_json(std::string_view text) {
    if (text != "null") detail::wrong_type("null", text);
    return nullptr;
  }
};

template <>
struct Convert<bool> {
  static std::string to_json(bool value) { return value ? "true" : "false"; }
  static bool from_json(std::string_view text) {
    if (text != "true" && text != "false") detail::wrong_type("a boolean", text);
    return text == "true";
  }
};

template <class T>
struct Convert<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static std::string to_json(T value) { return std::to_string(value); }
  static T from_json(std::string_view text) {
    T value{};
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end) detail::wrong_type("an integer of this size", text);
    return value;
  }
};

template <class T>
struct Convert<T, std::enable_if_t<std::is_floating_point_v<T>>> {
  static std::string to_json(T value) {
    if (!std::isfinite(value)) throw TypeError("JSON has no infinity and no NaN");
    char text[64];
    std::string out(text, std::to_chars(text, text + sizeof text, value).ptr);
    if (out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
  }
  static T from_json(std::string_view text) {
    T value{};
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end) detail::wrong_type("a number in range", text);
    return value;
  }
};

template <>
struct Convert<std::string> {
  static std::string to_json(const std::string& value) { return detail::quote(value); }
  static std::string from_json(std::string_view text) { return detail::unquote(text); }
};
template <>
struct Convert<std::string_view> {
  static std::string to_json(std::string_view value) { return detail::quote(value); }
};
template <>
struct Convert<const char*> {
  static std::string to_json(const char* value) { return detail::quote(value); }
};
template <>
struct Convert<char*> : Convert<const char*> {};

namespace detail {

template <class T, class = void>
inline constexpr bool has_to_json = false;
template <class T>
inline constexpr bool has_to_json<T, std::void_t<decltype(Convert<T>::to_json(std::declval<const T&>()))>> = true;

template <class T, class = void>
inline constexpr bool has_from_json = false;
template <class T>
inline constexpr bool has_from_json<T, std::void_t<decltype(Convert<T>::from_json(std::string_view()))>> = true;

// A struct of a program's, as far as can be told: other classes may have a constructor that takes
// what can be read, and must be left to it.
template <class T, class = void>
inline constexpr bool is_plain_struct = false;
template <class T>
inline constexpr bool is_plain_struct<T, std::enable_if_t<(sizeof(T) > 0) && std::is_class_v<T>>> =
    std::is_aggregate_v<T> && !std::is_empty_v<T>;

template <class T>
T from_json(std::string_view text) {
  static_assert(has_from_json<T>, "no JSON can become this type: specialize zatt::Convert for it, with from_json");
  if constexpr (has_from_json<T>)
    return Convert<T>::from_json(text);
  else
    wrong_type("of a type that zatt::Convert knows", text);
}

}  // namespace detail

template <class T>
std::string to_json(const T& value) {
  using Value = std::decay_t<const T>;
  static_assert(detail::has_to_json<Value>, "this type cannot become JSON: specialize zatt::Convert for it, with to_json");
  if constexpr (detail::has_to_json<Value>)
    return Convert<Value>::to_json(value);
  else
    return {};
}

// --- a client ---

// Under which a write takes effect, or ConditionFailed is thrown.
class Condition {
 public:
  Condition() = default;
  static Condition absent() { return Condition(ZATT_IF_ABSENT); }
  static Condition exists() { return Condition(ZATT_IF_EXISTS); }
  static Condition rev(std::uint64_t rev) {
    Condition condition(ZATT_IF_REV);
    condition.rev_ = rev;
    return condition;
  }
  template <class T>
  static Condition value(const T& value) {
    Condition condition(ZATT_IF_VALUE);
    condition.value_ = to_json(value);
    return condition;
  }

 private:
  friend class Client;
  explicit Condition(int kind) : kind_(kind) {}
  int kind_ = ZATT_IF_NONE;
  std::uint64_t rev_ = 0;
  std::string value_;
};

struct Entry {
  std::string text;  // JSON
  std::uint64_t rev = 0;
  template <class T>
  T as() const {
    return detail::from_json<T>(text);
  }
};

struct Item {
  std::string key;
  Json value;
  std::uint64_t rev = 0;
};

class Client {
 public:
  // "host:port,host:port". Looks names up, connects when it is first asked.
  explicit Client(const std::string& servers = "127.0.0.1:5254",
                  std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
    char why[256] = "";
    zatt_client_options options = zatt_client_options_of(servers.c_str());
    options.timeout_ms = static_cast<int>(timeout.count());
    options.error = why;
    options.error_size = sizeof why;
    zatt_client* client = nullptr;
    const int error = zatt_client_open(&options, &client);
    if (error != ZATT_OK) throw Error(error, why[0] != '\0' ? why : zatt_error_text(error));
    client_.reset(client);
  }

  std::optional<Entry> get(std::string_view key) {
    zatt_request request = zatt_request_of(ZATT_OP_GET);
    request.key = bytes(key);
    const zatt_reply& reply = call(request);
    if (reply.found == 0) return std::nullopt;
    return Entry{text(reply.value), reply.rev};
  }

  // The write's revision.
  template <class T>
  std::uint64_t set(std::string_view key, const T& value, const Condition& condition = {}) {
    const std::string json = to_json(value);
    zatt_request request = zatt_request_of(ZATT_OP_SET);
    request.key = bytes(key);
    request.value = bytes(json);
    put(request, condition);
    return call(request).rev;
  }

  // Whether there was something to delete.
  bool erase(std::string_view key, const Condition& condition = {}) {
    zatt_request request = zatt_request_of(ZATT_OP_DELETE);
    request.key = bytes(key);
    put(request, condition);
    return call(request).found != 0;
  }

  // The new value. An absent key counts as 0.
  std::int64_t incr(std::string_view key, std::int64_t by = 1, const Condition& condition = {}) {
    zatt_request request = zatt_request_of(ZATT_OP_INCR);
    request.key = bytes(key);
    request.by = by;
    put(request, condition);
    return call(request).number;
  }

  std::uint64_t count(std::string_view prefix = "") {
    zatt_request request = zatt_request_of(ZATT_OP_COUNT);
    request.prefix = bytes(prefix);
    return static_cast<std::uint64_t>(call(request).number);
  }

  struct Page {
    std::vector<Item> items;
    bool more = false;
    std::uint64_t at = 0;  // the revision at which it was read
  };
  // Keys in byte order, strictly after `after` where that is given.
  Page scan(std::string_view prefix = "", std::optional<std::string_view> after = std::nullopt,
            std::uint32_t limit = 0) {
    zatt_request request = zatt_request_of(ZATT_OP_SCAN);
    request.prefix = bytes(prefix);
    if (after) request.after = bytes(*after);
    request.limit = limit;
    const zatt_reply& reply = call(request);
    Page page;
    page.more = reply.more != 0;
    page.at = reply.at;
    for (std::size_t i = 0; i < reply.item_count; ++i)
      page.items.push_back({text(reply.items[i].key), {text(reply.items[i].value)}, reply.items[i].rev});
    return page;
  }

  // One line of the protocol in, one line out, whatever it says.
  std::string line(const std::string& request) {
    const zatt_reply* reply = nullptr;
    const int error = zatt_client_line(client_.get(), request.c_str(), &reply);
    if (reply == nullptr || reply->line.data == nullptr) fail(error, reply);
    return text(reply->line);
  }

  // For everything else in zatt.h. Owned by this object.
  zatt_client* handle() const noexcept { return client_.get(); }

 private:
  struct Close {
    void operator()(zatt_client* client) const noexcept { zatt_client_close(client); }
  };

  static zatt_bytes bytes(std::string_view text) {
    return {text.data() == nullptr ? "" : text.data(), text.size()};
  }
  static std::string text(zatt_bytes bytes) {
    return bytes.data == nullptr ? std::string() : std::string(bytes.data, bytes.size);
  }
  static void put(zatt_request& request, const Condition& condition) {
    request.condition = condition.kind_;
    request.if_rev = condition.rev_;
    if (condition.kind_ == ZATT_IF_VALUE) request.if_value = bytes(condition.value_);
  }
  const zatt_reply& call(const zatt_request& request) {
    const zatt_reply* reply = nullptr;
    const int error = zatt_client_call(client_.get(), &request, &reply);
    if (error != ZATT_OK || reply == nullptr) fail(error, reply);
    return *reply;
  }
  [[noreturn]] static void fail(int error, const zatt_reply* reply) {
    const std::string why = reply != nullptr && *reply->message != '\0' ? reply->message : zatt_error_text(error);
    if (error == ZATT_ECONDITION && reply != nullptr)
      throw ConditionFailed(why, reply->found != 0, text(reply->value), reply->rev);
    if (error == ZATT_EUNKNOWN) throw OutcomeUnknown(error, why);
    throw Error(error, why);
  }

  std::unique_ptr<zatt_client, Close> client_;
};

// --- a dictionary ---

class DistributedDict {
 public:
  explicit DistributedDict(const std::string& servers = "127.0.0.1:5254",
                           std::chrono::milliseconds timeout = std::chrono::seconds(5))
      : client_(std::make_unique<Client>(servers, timeout)) {}
  DistributedDict(const std::string& host, std::uint16_t port)
      : DistributedDict((host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
                        std::to_string(port)) {}

  // A key's place: reads and writes go to the cluster when they happen.
  class Reference {
   public:
    template <class T>
    Reference& operator=(const T& value) {
      client_.set(key_, value);
      return *this;
    }
    Reference& operator=(const Reference& other) {
      client_.set(key_, other.template as<Json>());
      return *this;
    }
    Reference(const Reference&) = default;

    // KeyError where there is no such key, TypeError where it is another type.
    template <class T>
    T as() const {
      const auto entry = client_.get(key_);
      if (!entry) throw KeyError("no such key: " + key_);
      return entry->template as<T>();
    }
    template <class T, class = std::enable_if_t<detail::has_from_json<T> || detail::is_plain_struct<T>>>
    operator T() const {  // NOLINT(google-explicit-constructor): int v = d["key1"];
      return as<T>();
    }

    // Not there on purpose: others could write between its read and its write.
    template <class T>
    void operator+=(const T&) {
      refuse<T>();
    }
    template <class T>
    void operator-=(const T&) {
      refuse<T>();
    }
    template <class T = int>
    void operator++() {
      refuse<T>();
    }
    template <class T = int>
    void operator++(int) {
      refuse<T>();
    }
    template <class T = int>
    void operator--() {
      refuse<T>();
    }
    template <class T = int>
    void operator--(int) {
      refuse<T>();
    }

   private:
    friend class DistributedDict;
    template <class T>
    static void refuse() {
      static_assert(!std::is_same_v<T, T>,
                    "this would be a read and a write, and others could write in between: "
                    "use d.incr(key, by), or client().set under zatt::Condition::rev");
    }
    Reference(Client& client, std::string key) : client_(client), key_(std::move(key)) {}
    Client& client_;
    std::string key_;
  };

  Reference operator[](std::string key) { return Reference(*client_, std::move(key)); }

  template <class T>
  std::optional<T> get(std::string_view key) {
    const auto entry = client_->get(key);
    if (!entry) return std::nullopt;
    return entry->template as<T>();
  }
  bool contains(std::string_view key) { return client_->get(key).has_value(); }
  bool erase(std::string_view key) { return client_->erase(key); }
  std::int64_t incr(std::string_view key, std::int64_t by = 1) { return client_->incr(key, by); }
  std::uint64_t size() { return client_->count(); }
  bool empty() { return size() == 0; }

  // All keys in byte order, a page at a time: what changes meanwhile may be seen or not.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::pair<std::string, Json>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    Iterator() = default;
    explicit Iterator(Client& client) : client_(&client) { load(std::nullopt); }
    reference operator*() const { return items_[at_]; }
    pointer operator->() const { return &items_[at_]; }
    Iterator& operator++() {
      if (++at_ < items_.size()) return *this;
      if (!more_) {
        client_ = nullptr;
      } else {
        const std::string last = items_.back().first;
        load(last);
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.client_ == b.client_; }
    friend bool operator!=(const Iterator& a, const Iterator& b) { return !(a == b); }

   private:
    void load(std::optional<std::string_view> after) {
      Client::Page page = client_->scan("", after);
      items_.clear();
      for (Item& item : page.items) items_.emplace_back(std::move(item.key), std::move(item.value));
      more_ = page.more;
      at_ = 0;
      if (items_.empty()) client_ = nullptr;
    }
    Client* client_ = nullptr;  // null: at the end
    std::vector<value_type> items_;
    std::size_t at_ = 0;
    bool more_ = false;
  };
  Iterator begin() { return Iterator(*client_); }
  Iterator end() { return {}; }

  // For conditions, revisions and the rest.
  Client& client() { return *client_; }

 private:
  std::unique_ptr<Client> client_;  // its place stays while references point to it
};

}  // namespace api
}  // namespace zatt

#endif
