/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/mqtt/send_queue.h"
#include "tests/unit/mqtt/memory.h"

static struct memory memory;
static struct send_queue queue;
static uint8_t expected[1 << 20]; /* all that was ever queued */
static size_t expected_len;

static int open_memory(void **state) {
    memory_open(&memory, 16 << 20, 0);
    queue = (struct send_queue){0};
    expected_len = 0;
    return 0;
}

static int close_memory(void **state) {
    send_queue_clear(&queue, &memory.parcels);
    assert_int_equal(memory_objects(&memory), 0);
    memory_close(&memory);
    return 0;
}

static void expect(const void *bytes, size_t len) {
    memcpy(expected + expected_len, bytes, len);
    expected_len += len;
}

static void queue_bytes(size_t len, uint8_t first) {
    uint8_t bytes[512];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(first + i);
    assert_true(send_queue_bytes(&queue, &memory.pool, bytes, len));
    expect(bytes, len);
}

/* Queues a PUBLISH and lets go of the message, as a router does. */
static void queue_publish(const char *topic, uint32_t payload_len, uint16_t packet_id,
                          uint8_t qos) {
    struct message *message = memory_message(&memory, topic, payload_len, (uint8_t)packet_id);
    uint32_t len = send_queue_publish(&queue, &memory.pool, message, packet_id, qos, false, false);
    uint32_t remaining = 2 + (uint32_t)strlen(topic) + payload_len + (qos ? 2 : 0);
    uint8_t byte = (uint8_t)(0x30 | qos << 1);
    size_t start = expected_len;

    expect(&byte, 1);
    for (uint32_t left = remaining;;) {
        byte = left & 0x7f;
        left >>= 7;
        if (left)
            byte |= 0x80;
        expect(&byte, 1);
        if (!left)
            break;
    }
    expect(message->bytes, 2u + message->topic_len);
    if (qos) {
        uint8_t id[2] = {(uint8_t)(packet_id >> 8), (uint8_t)packet_id};
        expect(id, 2);
    }
    expect(message_payload(message), payload_len);
    assert_int_equal(len, expected_len - start);
    parcel_release(&memory.parcels, message);
}

static void assert_fetch(size_t from, uint32_t offset, size_t len) {
    uint8_t *bytes = malloc(len);

    send_queue_fetch(&queue, offset, bytes, len);
    assert_memory_equal(bytes, expected + from + offset, len);
    free(bytes);
}

static void any_range_can_be_fetched(void **state) {
    queue_bytes(4, 1);
    queue_publish("a/b", 10, 0, 0);
    queue_publish("topic", 0, 77, 1);
    queue_bytes(50, 100);
    queue_publish("t", 300, 500, 2);
    queue_bytes(2, 9);
    assert_int_equal(queue.bytes, expected_len);
    for (size_t offset = 0; offset < expected_len; offset++)
        for (size_t len = 1; offset + len <= expected_len; len++)
            assert_fetch(0, (uint32_t)offset, len);
}

static void ranges_are_the_same_after_part_was_acknowledged(void **state) {
    for (unsigned round = 0; round < 20; round++) {
        queue_publish("a/b", round * 7, (uint16_t)(round + 1), round % 3);
        queue_bytes(1 + round, (uint8_t)round);
    }
    size_t done = 0;
    while (done < expected_len) {
        for (uint32_t offset = 0; done + offset < expected_len; offset += 13) {
            size_t len = expected_len - done - offset;
            assert_fetch(done, offset, len < 29 ? len : 29);
        }
        size_t step = done % 11 + 1;
        if (step > expected_len - done)
            step = expected_len - done;
        send_queue_acknowledged(&queue, &memory.parcels, (uint32_t)step);
        done += step;
        assert_int_equal(queue.bytes, expected_len - done);
    }
    assert_int_equal(queue.own_bytes, 0);
}

static void sending_and_acknowledging_may_go_on_for_ever(void **state) {
    size_t sent = 0, done = 0;
    unsigned random = 1;

    while (expected_len < 400000) {
        random = random * 1103515245u + 12345u;
        if (random & 0x10000)
            queue_bytes((random >> 20) % 40 + 1, (uint8_t)random);
        else
            queue_publish("some/topic", (random >> 20) % 700, (uint16_t)(random >> 8 | 1),
                          random % 3);
        while (sent < expected_len && (random & 0x40000)) {
            size_t len = expected_len - sent < 536 ? expected_len - sent : 536;
            assert_fetch(done, (uint32_t)(sent - done), len);
            sent += len;
        }
        if ((random & 0x80000) && sent > done) {
            uint32_t len = (random >> 12) % (sent - done) + 1;
            send_queue_acknowledged(&queue, &memory.parcels, len);
            done += len;
        }
        if (sent > done && (random & 0x30000) == 0x30000) /* a retransmission */
            assert_fetch(done, 0, sent - done < 536 ? sent - done : 536);
    }
    assert_fetch(done, 0, expected_len - done);
}

static void a_message_is_released_when_its_last_byte_is_acknowledged(void **state) {
    struct message *message = memory_message(&memory, "t", 100, 1);
    uint32_t len = send_queue_publish(&queue, &memory.pool, message, 0, 0, false, false);

    assert_int_equal(message->parcel.refs, 2);
    send_queue_acknowledged(&queue, &memory.parcels, len - 1);
    assert_int_equal(message->parcel.refs, 2);
    send_queue_acknowledged(&queue, &memory.parcels, 1);
    assert_int_equal(message->parcel.refs, 1);
    parcel_release(&memory.parcels, message);
}

static void clearing_releases_every_message(void **state) {
    struct message *message = memory_message(&memory, "t", 100, 1);

    for (unsigned i = 0; i < 100; i++)
        assert_true(send_queue_publish(&queue, &memory.pool, message, 1, 1, false, false) > 0);
    assert_int_equal(message->parcel.refs, 101);
    send_queue_acknowledged(&queue, &memory.parcels, 250);
    send_queue_clear(&queue, &memory.parcels);
    assert_int_equal(message->parcel.refs, 1);
    parcel_release(&memory.parcels, message);
}

static void without_memory_a_packet_is_queued_whole_or_not_at_all(void **state) {
    for (uint64_t n = 1;; n++) {
        uint8_t bytes[400] = {1, 2, 3};
        size_t objects = memory_objects(&memory);
        uint32_t chunks = queue.chunks;

        arena_fail_after(memory.arena, n);
        bool queued = send_queue_bytes(&queue, &memory.pool, bytes, sizeof bytes);
        arena_fail_after(memory.arena, 0);
        if (queued)
            break;
        assert_int_equal(queue.bytes, 0);
        assert_int_equal(queue.chunks, chunks);
        assert_int_equal(memory_objects(&memory), objects);
    }
    assert_int_equal(queue.bytes, 400);
    struct message *message = memory_message(&memory, "t", 1, 1);
    for (unsigned i = 0; i < SEND_CHUNK_ENTRIES; i++) {
        arena_fail_after(memory.arena, 1);
        uint32_t len = send_queue_publish(&queue, &memory.pool, message, 0, 0, false, false);
        arena_fail_after(memory.arena, 0);
        if (len == 0)
            break;
    }
    parcel_release(&memory.parcels, message);
}

static void after_reserving_an_acknowledgement_cannot_fail(void **state) {
    for (unsigned i = 0; i < 40; i++) {
        assert_true(send_queue_reserve(&queue, &memory.pool));
        arena_fail_after(memory.arena, 1);
        queue_bytes(4, (uint8_t)i);
        arena_fail_after(memory.arena, 0);
    }
    assert_fetch(0, 0, expected_len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_range_can_be_fetched, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(ranges_are_the_same_after_part_was_acknowledged,
                                        open_memory, close_memory),
        cmocka_unit_test_setup_teardown(sending_and_acknowledging_may_go_on_for_ever, open_memory,
                                        close_memory),
        cmocka_unit_test_setup_teardown(a_message_is_released_when_its_last_byte_is_acknowledged,
                                        open_memory, close_memory),
        cmocka_unit_test_setup_teardown(clearing_releases_every_message, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(without_memory_a_packet_is_queued_whole_or_not_at_all,
                                        open_memory, close_memory),
        cmocka_unit_test_setup_teardown(after_reserving_an_acknowledgement_cannot_fail, open_memory,
                                        close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
