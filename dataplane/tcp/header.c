/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/header.h"

#include "dataplane/base/bytes.h"

bool header_parse(struct tcp_header *header, const struct tcp_segment *segment) {
    const uint8_t *bytes = segment->header;
    if (segment->len < TCP_HEADER_BYTES)
        return false;
    uint32_t offset = (bytes[12] >> 4) * 4u;
    if (offset < TCP_HEADER_BYTES || offset > segment->len)
        return false;
    header->seq = load_be32(bytes + 4);
    header->ack = load_be32(bytes + 8);
    header->flags = bytes[13];
    header->wnd = load_be16(bytes + 14);
    header->payload = bytes + offset;
    header->len = segment->len - offset;
    tcp_options_parse(&header->options, bytes + TCP_HEADER_BYTES, offset - TCP_HEADER_BYTES,
                      header->flags & TCP_SYN);
    return true;
}

void header_write(uint8_t *to, const struct tcp_tuple *tuple, uint32_t seq, uint32_t ack,
                  uint8_t flags, uint16_t wnd, size_t options_len) {
    store_be16(to, tuple->local_port);
    store_be16(to + 2, tuple->remote_port);
    store_be32(to + 4, seq);
    store_be32(to + 8, ack);
    to[12] = (uint8_t)((TCP_HEADER_BYTES + options_len) / 4 << 4);
    to[13] = flags;
    store_be16(to + 14, wnd);
    store_be32(to + 16, 0);
}
