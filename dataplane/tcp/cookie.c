/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/cookie.h"

#include "dataplane/base/siphash.h"

enum { MSS_STEPS = 8, SLOT_SHIFT = 27, SLOT_MASK = 31, MSS_SHIFT = 24, SLOTS = 2 };

/* The common sizes: minimum, SLIP, default of IPv4 (RFC 9293), default of IPv6, tunnels and mobile
 * networks. The last step means "as much as we send at most". */
static const uint16_t mss_steps[MSS_STEPS - 1] = {COOKIE_MSS_MIN, 216, 536, 1000, 1220, 1300, 1360};

struct cookie_base cookie_base(const uint8_t secret[16], const struct tcp_tuple *tuple) {
    uint8_t bytes[TUPLE_BYTES];
    tuple_bytes(tuple, bytes);
    uint64_t hash = siphash(secret, bytes, sizeof bytes);
    return (struct cookie_base){.f = (uint32_t)hash, .ts_offset = (uint32_t)(hash >> 32)};
}

/* The code of a slot with MSS step 0. */
static uint32_t slot_code(const uint8_t secret[16], const struct cookie_base *base, uint32_t slot) {
    uint32_t input[3] = {base->f, base->ts_offset, slot};
    uint32_t mac = (uint32_t)siphash(secret, input, sizeof input) & ((1u << MSS_SHIFT) - 1);
    return (slot & SLOT_MASK) << SLOT_SHIFT | mac;
}

uint32_t cookie_make(const uint8_t secret[16], const struct cookie_base *base, uint32_t irs,
                     uint16_t mss, uint16_t mss_max, uint64_t now) {
    uint32_t step = MSS_STEPS - 1;
    if (mss < mss_max) {
        step--;
        while (step > 0 && mss_steps[step] > mss)
            step--;
    }
    return base->f + irs + slot_code(secret, base, (uint32_t)(now / COOKIE_SLOT_US)) +
           (step << MSS_SHIFT);
}

enum cookie_verdict cookie_check(const uint8_t secret[16], const struct cookie_base *base,
                                 uint32_t irs, uint32_t isn, uint16_t mss_max, uint64_t now,
                                 uint16_t *mss) {
    uint32_t code = isn - base->f - irs;
    uint32_t slot = (uint32_t)(now / COOKIE_SLOT_US);
    for (uint32_t age = 0; age < SLOTS && age <= slot; age++) {
        uint32_t behind = slot_code(secret, base, slot - age) - code;
        for (uint32_t step = 0; step < MSS_STEPS; step++, behind += 1u << MSS_SHIFT) {
            if (behind == 0) {
                *mss =
                    step < MSS_STEPS - 1 && mss_steps[step] < mss_max ? mss_steps[step] : mss_max;
                return COOKIE_VALID;
            }
            if (behind + 1 <= UINT16_MAX)
                return COOKIE_HANDSHAKE;
        }
    }
    return COOKIE_FOREIGN;
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
