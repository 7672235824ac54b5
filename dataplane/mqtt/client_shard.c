/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/base/siphash.h"
#include "dataplane/mqtt/mqtt.h"

/* The high half of the product spreads the hash evenly over any number of shards. */
unsigned client_shard(const uint8_t *client_id, size_t len, const uint8_t key[16],
                      unsigned shards) {
    uint64_t high = siphash(key, client_id, len) >> 32;

    return (unsigned)((high * shards) >> 32);
}

uint32_t client_name(const uint8_t *client_id, size_t len, const uint8_t key[16]) {
    uint32_t hash = (uint32_t)siphash(key, client_id, len);

    return hash != 0 ? hash : 1;
}
