// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/host_request.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "capi/convert.h"

namespace zatt::capi {

int HostRequestReader::read(const zatt_request* given, HostRequest& out) {
  zatt_request request;
  if (!widen(given, request)) return ZATT_EINVAL;
  const int timeout_ms = timeout_of(request.timeout_ms, timeout_ms_);
  if (timeout_ms == 0) return ZATT_EINVAL;
  out.request.timeout_ms = static_cast<std::uint32_t>(timeout_ms);
  if (request.op == ZATT_OP_BARRIER) {
    out.request.operation = codec::Barrier{};
    out.only_reads = true;
    return ZATT_OK;
  }
  if (request.op != ZATT_OP_PROPOSE) return read_line(request, out);
  if (request.value.data == nullptr) return ZATT_EINVAL;
  out.size = request.value.size;
  out.request.operation = codec::Proposal{std::string(view(request.value))};
  return ZATT_OK;
}

int HostRequestReader::read_line(const zatt_request& given, HostRequest& out) {
  client::Request wanted;
  const char* why = nullptr;
  if (to_request(given, wanted, why) != ZATT_OK) return ZATT_EINVAL;
  auto line = writer_.begin(wanted);
  if (!line) return ZATT_EINVAL;
  client::RequestWriter::end(*line, wanted.op, out.request.timeout_ms);
  out.size = line->size() - 1;  // no newline
  out.only_reads = writer_.only_reads(wanted);
  line->append(codec::line_slack, '\0');
  out.request = out.size > max_bytes_
                    ? codec::Request{codec::Malformed{codec::too_large(max_bytes_)}}
                    : parser_.parse(std::string_view(*line).substr(0, out.size));
  return ZATT_OK;
}

}  // namespace zatt::capi
