// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/in_process_client.h"

namespace zatt::server {

void InProcessEnd::close() {
  who_ = nullptr;
  owner_.on_ready(id_);
}

void InProcessEnd::want_requests(bool wanted) {
  if (wanted_ == wanted) return;
  wanted_ = wanted;
  if (wanted) owner_.on_ready(id_);
}

void InProcessEnd::resume() {
  if (who_ != nullptr && wanted_) who_->on_room();
}

}  // namespace zatt::server
