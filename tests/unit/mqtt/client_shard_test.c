/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/mqtt/mqtt.h"

static const uint8_t key[16] = "one key for all ", other_key[16] = "another key     ";

static unsigned shard_of(unsigned number, const uint8_t used_key[16], unsigned shards) {
    char id[32];

    snprintf(id, sizeof id, "device-%u", number);
    return client_shard((const uint8_t *)id, strlen(id), used_key, shards);
}

static void client_identifiers_spread_evenly_over_any_number_of_shards(void **state) {
    enum { CLIENTS = 12000 };

    for (unsigned shards = 1; shards <= 7; shards++) {
        unsigned count[7] = {0};
        for (unsigned i = 0; i < CLIENTS; i++)
            count[shard_of(i, key, shards)]++;
        for (unsigned i = 0; i < shards; i++) {
            assert_true(count[i] > CLIENTS / shards * 9 / 10);
            assert_true(count[i] < CLIENTS / shards * 11 / 10 + 1);
        }
    }
}

static void the_shard_depends_on_identifier_and_key_alone(void **state) {
    unsigned differ = 0;

    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(shard_of(i, key, 16), shard_of(i, key, 16));
        differ += shard_of(i, key, 16) != shard_of(i, other_key, 16);
    }
    assert_true(differ > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_identifiers_spread_evenly_over_any_number_of_shards),
        cmocka_unit_test(the_shard_depends_on_identifier_and_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
