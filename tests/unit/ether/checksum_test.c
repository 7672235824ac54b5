/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/checksum.h"
#include "tests/unit/ether/world.h"

#include "dataplane/base/bytes.h"

/* RFC 1071, section 3: 0001 f203 f4f5 f6f7 sums to ddf2. */
static void the_example_of_rfc_1071_sums_to_ddf2(void **state) {
    const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = checksum_fold(checksum_sum(data, sizeof data));
    assert_int_equal(load_be16(&sum), 0xddf2);
}

static void sums_of_every_length_and_alignment_agree_with_the_plain_way(void **state) {
    uint8_t data[160];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + 13);
    for (unsigned start = 0; start < 8; start++)
        for (unsigned len = 0; len < 150; len++) {
            uint16_t sum = checksum_finish(checksum_sum(data + start, len));
            assert_int_equal(load_be16(&sum), plain_checksum(data + start, len, 0));
        }
}

static void sixty_four_kilobytes_of_ones_do_not_overflow(void **state) {
    static uint8_t data[65536];
    memset(data, 0xff, sizeof data);
    assert_int_equal(checksum_fold(checksum_sum(data, sizeof data)), 0xffff);
}

static void a_pseudo_header_counts_addresses_protocol_and_length(void **state) {
    uint8_t header[12] = {10, 88, 0, 1, 10, 88, 0, 2, 0, 6, 0x12, 0x34};
    uint16_t sum = checksum_finish(checksum_pseudo_header(peer_ipv4, our_ipv4, 4, 6, 0x1234));
    assert_int_equal(load_be16(&sum), plain_checksum(header, sizeof header, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071_sums_to_ddf2),
        cmocka_unit_test(sums_of_every_length_and_alignment_agree_with_the_plain_way),
        cmocka_unit_test(sixty_four_kilobytes_of_ones_do_not_overflow),
        cmocka_unit_test(a_pseudo_header_counts_addresses_protocol_and_length),
    };
    return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
