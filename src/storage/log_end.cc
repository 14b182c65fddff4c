// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_end.h"

namespace zatt::storage {

void encode(const LogEndRecord& record, Writer& out) {
  out.u64(record.segment);
  out.u64(raw(record.end.index));
  out.u64(raw(record.end.term));
  out.u64(record.end.checksum);
  out.u64(raw(record.configuration));
  out.u8(record.is_clean ? 1 : 0);
}

LogEndRecord decode_log_end(Reader& in) {
  LogEndRecord record;
  record.segment = in.u64();
  record.end.index = Index{in.u64()};
  record.end.term = Term{in.u64()};
  record.end.checksum = in.u64();
  record.configuration = Index{in.u64()};
  record.is_clean = in.u8() != 0;
  return record;
}

}  // namespace zatt::storage
