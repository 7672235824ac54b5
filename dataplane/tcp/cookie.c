/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/cookie.h"

#include "dataplane/base/siphash.h"

enum { MSS_STEPS = 8, SLOT_SHIFT = 27, SLOT_MASK = 31, MSS_SHIFT = 24, EXACT_SHIFT = 8 };

/* The common sizes: minimum, SLIP, default of IPv4 (RFC 9293), default of IPv6, tunnels and mobile
 * networks. The last step means "as much as we send at most". */
static const uint16_t mss_steps[MSS_STEPS - 1] = {COOKIE_MSS_MIN, 216, 536, 1000, 1220, 1300, 1360};

struct cookie_base cookie_base(const uint8_t secret[16], const struct tcp_tuple *tuple) {
    uint8_t bytes[TUPLE_BYTES];
    tuple_bytes(tuple, bytes);
    uint64_t hash = siphash(secret, bytes, sizeof bytes);
    return (struct cookie_base){.f = (uint32_t)hash, .ts_offset = (uint32_t)(hash >> 32)};
}

static uint8_t slot_mac(const uint8_t secret[16], const struct cookie_base *base, uint32_t slot) {
    uint32_t input[3] = {base->f, base->ts_offset, slot};
    return (uint8_t)siphash(secret, input, sizeof input);
}

static uint16_t exact_mac(const uint8_t secret[16], const struct cookie_base *base, uint32_t slot,
                          uint32_t step, uint32_t irs) {
    uint32_t input[5] = {base->f, base->ts_offset, slot, step, irs};
    return (uint16_t)siphash(secret, input, sizeof input);
}

uint32_t cookie_make(const uint8_t secret[16], const struct cookie_base *base, uint32_t irs,
                     uint16_t mss, uint16_t mss_max, uint64_t now) {
    uint32_t slot = (uint32_t)(now / COOKIE_SLOT_US);
    uint32_t step = MSS_STEPS - 1;
    if (mss < mss_max) {
        step--;
        while (step > 0 && mss_steps[step] > mss)
            step--;
    }
    return base->f + ((slot & SLOT_MASK) << SLOT_SHIFT | step << MSS_SHIFT |
                      (uint32_t)exact_mac(secret, base, slot, step, irs) << EXACT_SHIFT |
                      slot_mac(secret, base, slot));
}

enum cookie_verdict cookie_check(const uint8_t secret[16], const struct cookie_base *base,
                                 uint32_t irs, uint32_t isn, uint16_t mss_max, uint64_t now,
                                 uint16_t *mss) {
    uint32_t code = isn - base->f;
    uint32_t slot = (uint32_t)(now / COOKIE_SLOT_US);
    if ((slot & SLOT_MASK) != code >> SLOT_SHIFT) {
        if (slot == 0 || ((slot - 1) & SLOT_MASK) != code >> SLOT_SHIFT)
            return COOKIE_FOREIGN;
        slot--;
    }
    if ((uint8_t)code != slot_mac(secret, base, slot))
        return COOKIE_FOREIGN;
    uint32_t step = code >> MSS_SHIFT & (MSS_STEPS - 1);
    if ((uint16_t)(code >> EXACT_SHIFT) != exact_mac(secret, base, slot, step, irs))
        return COOKIE_HANDSHAKE;
    *mss = step < MSS_STEPS - 1 && mss_steps[step] < mss_max ? mss_steps[step] : mss_max;
    return COOKIE_VALID;
}

uint32_t cookie_timestamp(uint32_t tsval, uint8_t wscale, bool sack) {
    uint32_t mask = (1u << COOKIE_TIMESTAMP_BITS) - 1;
    uint32_t cookie = (tsval & ~mask) | (uint32_t)sack << 4 | (wscale & 15u);
    return (int32_t)(cookie - tsval) > 0 ? cookie - mask - 1 : cookie;
}

bool cookie_timestamp_options(uint32_t tsecr, uint8_t *wscale, bool *sack) {
    *sack = tsecr >> 4 & 1;
    *wscale = tsecr & 15;
    if (*wscale == COOKIE_WSCALE_NONE) {
        *wscale = 0;
        return false;
    }
    return true;
}
