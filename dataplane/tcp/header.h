/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP header (RFC 9293 3.1) read from and written to the wire. Pure. */
#ifndef LINEMQ_TCP_HEADER_H
#define LINEMQ_TCP_HEADER_H

#include "dataplane/tcp/options.h"
#include "dataplane/tcp/tcp.h"

enum { TCP_HEADER_BYTES = 20 };

struct tcp_header {
    uint32_t seq, ack;
    uint16_t wnd;
    uint8_t flags; /* enum tcp_flag */
    uint8_t spare;
    uint32_t len; /* of the payload, bytes */
    const uint8_t *payload;
    struct tcp_options options;
};

/* SEG.LEN: the payload with SYN and FIN, which count as a byte each. */
static inline uint32_t header_segment_length(const struct tcp_header *header) {
    return header->len + !!(header->flags & TCP_SYN) + !!(header->flags & TCP_FIN);
}

/* False: the data offset does not fit the segment. */
bool header_parse(struct tcp_header *header, const struct tcp_segment *segment);

/* What goes out: ports of `tuple` (remote is the destination), `options_len` bytes of options
 * follow. Checksum and urgent pointer are zero. */
void header_write(uint8_t *to, const struct tcp_tuple *tuple, uint32_t seq, uint32_t ack,
                  uint8_t flags, uint16_t wnd, size_t options_len);

#endif
