/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/mqtt/window.h"
#include "tests/unit/mqtt/memory.h"

static struct memory memory;
static struct window window;
static struct window_use use;
static char sent[4096]; /* "P3.1! " PUBLISH id 3, payload 1, ! DUP; "R3 " PUBREL id 3 */
static unsigned refuse; /* how many sends to refuse */

static bool refused(void) {
    if (refuse == 0)
        return false;
    refuse--;
    return true;
}

static bool publish(void *to, struct message *message, uint16_t packet_id, uint8_t qos, bool retain,
                    bool dup) {
    char text[32];

    if (refused())
        return false;
    snprintf(text, sizeof text, "P%u.%u%s ", packet_id, message_payload(message)[0],
             dup ? "!" : "");
    strcat(sent, text);
    return true;
}

static bool pubrel(void *to, uint16_t packet_id, bool dup) {
    char text[32];

    if (refused())
        return false;
    snprintf(text, sizeof text, "R%u ", packet_id);
    strcat(sent, text);
    return true;
}

static int open_memory(void **state) {
    memory_open(&memory, 16 << 20, 0);
    window = (struct window){0};
    use = (struct window_use){.parcels = &memory.parcels,
                              .inflight = 3,
                              .queued = 5,
                              .queued_bytes = 1000,
                              .replay = true,
                              .publish = publish,
                              .pubrel = pubrel};
    sent[0] = '\0';
    refuse = 0;
    return 0;
}

static int close_memory(void **state) {
    window_clear(&window, &memory.parcels);
    assert_int_equal(memory_objects(&memory), 0);
    memory_close(&memory);
    return 0;
}

static enum window_result push(uint8_t qos, uint8_t fill) {
    struct message *message = memory_message(&memory, "t", 1, fill);
    enum window_result result = window_push(&window, &use, message, qos, false);

    parcel_release(&memory.parcels, message);
    return result;
}

static void assert_sent(const char *text) {
    assert_string_equal(sent, text);
    sent[0] = '\0';
}

static void push_and_send(uint8_t qos, unsigned first, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(push(qos, (uint8_t)(first + i)), WINDOW_TAKEN);
    window_send(&window, &use);
}

static void nothing_is_sent_by_pushing(void **state) {
    assert_int_equal(push(1, 1), WINDOW_TAKEN);
    assert_sent("");
    assert_true(window_wants(&window, &use));
    assert_true(window_send(&window, &use));
    assert_sent("P1.1 ");
    assert_false(window_wants(&window, &use));
}

static void no_more_than_the_inflight_limit_are_unacknowledged(void **state) {
    push_and_send(1, 1, 5);
    assert_sent("P1.1 P2.2 P3.3 ");
    assert_int_equal(window.inflight, 3);
    assert_int_equal(window_queued(&window), 2);
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
    window_send(&window, &use);
    assert_sent("P4.4 ");
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 3), WINDOW_ACK_TAKEN);
    window_send(&window, &use);
    assert_sent("P5.5 ");
}

static void an_empty_window_holds_no_memory(void **state) {
    push_and_send(1, 1, 5);
    for (uint16_t id = 1; id <= 5; id++) {
        assert_int_equal(window_puback(&window, &use, id), WINDOW_ACK_TAKEN);
        window_send(&window, &use);
    }
    assert_int_equal(window.count, 0);
    assert_int_equal(window.queued_bytes, 0);
    assert_int_equal(memory_objects(&memory), 0);
}

static void the_queue_is_bounded_by_count(void **state) {
    push_and_send(1, 1, 3);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(push(1, 9), WINDOW_TAKEN);
    assert_int_equal(push(1, 9), WINDOW_FULL);
    assert_int_equal(window.count, 8);
}

static void the_queue_is_bounded_by_bytes_but_takes_one(void **state) {
    use.queued_bytes = 10;
    for (unsigned i = 0; i < 3; i++)
        push_and_send(1, 1, 1);
    struct message *large = memory_message(&memory, "t", 100, 1);
    assert_int_equal(window_push(&window, &use, large, 1, false), WINDOW_TAKEN);
    assert_int_equal(window_push(&window, &use, large, 1, false), WINDOW_FULL_BYTES);
    assert_int_equal(push(1, 1), WINDOW_FULL_BYTES);
    parcel_release(&memory.parcels, large);
}

/* MQTT-4.3.3-1 */
static void a_qos2_message_is_released_and_completed(void **state) {
    push_and_send(2, 1, 1);
    assert_sent("P1.1 ");
    assert_int_equal(window_pubcomp(&window, &use, 1), WINDOW_ACK_WRONG);
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_WRONG);
    uint64_t objects = memory_objects(&memory);
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_sent("R1 ");
    assert_int_equal(memory_objects(&memory), objects - 1); /* the message is not kept */
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_sent("R1 ");
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_WRONG);
    assert_sent("");
    assert_int_equal(window_pubcomp(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_int_equal(window_pubcomp(&window, &use, 1), WINDOW_ACK_UNKNOWN);
    assert_int_equal(window.count, 0);
}

static void acknowledgements_may_come_out_of_order(void **state) {
    push_and_send(1, 1, 3);
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 3), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_UNKNOWN);
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_int_equal(window.count, 0);
}

static void an_acknowledgement_of_another_kind_changes_nothing(void **state) {
    push_and_send(1, 1, 1);
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_WRONG);
    assert_int_equal(window_pubcomp(&window, &use, 1), WINDOW_ACK_WRONG);
    assert_int_equal(window_puback(&window, &use, 0), WINDOW_ACK_UNKNOWN);
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_UNKNOWN);
    assert_int_equal(window.count, 1);
}

/* MQTT-4.4.0-1, 4.6.0-1, 4.6.0-4, 3.3.1-1 */
static void after_a_reconnect_all_in_flight_is_sent_again_in_order(void **state) {
    use.inflight = 6;
    push_and_send(2, 1, 4);
    push_and_send(1, 5, 1);
    assert_sent("P1.1 P2.2 P3.3 P4.4 P5.5 ");
    assert_int_equal(window_pubrec(&window, &use, 3), WINDOW_ACK_TAKEN);
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_sent("R3 R1 ");
    window_disconnected(&window, &memory.parcels);
    assert_int_equal(push(1, 6), WINDOW_TAKEN);
    assert_true(window_send(&window, &use));
    assert_sent("R3 R1 P2.2! P4.4! P5.5! P6.6 ");
}

static void a_message_never_sent_goes_out_without_dup(void **state) {
    refuse = 1;
    push_and_send(1, 1, 1);
    assert_int_equal(window.inflight, 1); /* it has its identifier */
    window_disconnected(&window, &memory.parcels);
    window_send(&window, &use);
    assert_sent("P1.1 ");
    window_disconnected(&window, &memory.parcels);
    window_send(&window, &use);
    assert_sent("P1.1! ");
}

static void sending_goes_on_where_it_was_refused(void **state) {
    use.inflight = 5;
    for (unsigned i = 1; i <= 4; i++)
        push(1, (uint8_t)i);
    refuse = 1;
    assert_false(window_send(&window, &use));
    assert_sent("");
    assert_true(window_wants(&window, &use));
    assert_true(window_send(&window, &use));
    assert_sent("P1.1 P2.2 P3.3 P4.4 ");
}

static void a_pubrel_that_could_not_be_sent_is_sent_later(void **state) {
    push_and_send(2, 1, 2);
    assert_sent("P1.1 P2.2 ");
    refuse = 1;
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_sent("");
    assert_true(window_wants(&window, &use));
    assert_int_equal(window_pubrec(&window, &use, 2), WINDOW_ACK_TAKEN);
    assert_sent("R1 R2 ");
    refuse = 1;
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    window_disconnected(&window, &memory.parcels);
    assert_true(window_send(&window, &use));
    assert_sent("R1 R2 ");
}

static void acknowledgements_during_a_replay_keep_the_order(void **state) {
    use.inflight = 6;
    push_and_send(2, 1, 5);
    assert_sent("P1.1 P2.2 P3.3 P4.4 P5.5 ");
    window_disconnected(&window, &memory.parcels);
    refuse = 0;
    /* Only the first two are sent again. */
    struct window_use partly = use;
    assert_int_equal(window_pubrec(&window, &partly, 4),
                     WINDOW_ACK_TAKEN); /* not sent again yet: goes out in its turn */
    assert_sent("");
    assert_true(window_send(&window, &use));
    assert_sent("R4 P1.1! P2.2! P3.3! P5.5! ");
    assert_int_equal(window_pubcomp(&window, &use, 4), WINDOW_ACK_TAKEN);
    assert_int_equal(window_pubrec(&window, &use, 5), WINDOW_ACK_TAKEN);
    assert_int_equal(window_pubrec(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_sent("R5 R1 ");
    window_disconnected(&window, &memory.parcels);
    window_send(&window, &use);
    assert_sent("R5 R1 P2.2! P3.3! ");
}

static void without_replay_a_message_is_released_once_sent(void **state) {
    use.replay = false;
    push_and_send(1, 1, 3);
    assert_int_equal(memory_objects(&memory), 1); /* the ring alone */
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
}

/* MQTT-2.3.1-2, 2.3.1-4 */
static void identifiers_in_flight_are_not_given_out_again(void **state) {
    use.inflight = 4;
    push_and_send(1, 1, 2);
    assert_int_equal(window_puback(&window, &use, 2),
                     WINDOW_ACK_TAKEN); /* 1 stays in flight for ever */
    sent[0] = '\0';
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t id = round == 0 ? 3 : 2; id <= 65535; id++) {
            assert_int_equal(push(1, 0), WINDOW_TAKEN);
            window_send(&window, &use);
            char text[32];
            snprintf(text, sizeof text, "P%u.0 ", id);
            assert_sent(text);
            assert_int_equal(window_puback(&window, &use, (uint16_t)id), WINDOW_ACK_TAKEN);
        }
    }
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
    push_and_send(1, 0, 1);
    assert_sent("P1.0 ");
}

static void all_65535_identifiers_may_be_in_flight(void **state) {
    struct message *message = memory_message(&memory, "t", 1, 0);
    use.inflight = 100000;
    use.queued = 100000;
    use.queued_bytes = UINT32_MAX;
    for (unsigned i = 0; i < 65540; i++) {
        assert_int_equal(window_push(&window, &use, message, 1, false), WINDOW_TAKEN);
        window_send(&window, &use);
        sent[0] = '\0';
    }
    assert_int_equal(window.inflight, 65535);
    assert_int_equal(window_queued(&window), 5);
    assert_int_equal(window_puback(&window, &use, 65535), WINDOW_ACK_TAKEN);
    window_send(&window, &use);
    assert_sent("P65535.0 ");
    parcel_release(&memory.parcels, message);
}

static void qos_0_waits_behind_what_waits_and_is_gone_when_sent(void **state) {
    push_and_send(1, 1, 4);
    assert_sent("P1.1 P2.2 P3.3 "); /* 4 waits */
    assert_int_equal(push(0, 5), WINDOW_TAKEN);
    assert_int_equal(push(0, 6), WINDOW_TAKEN);
    assert_int_equal(push(2, 7), WINDOW_TAKEN);
    assert_int_equal(window_queued(&window), 4);
    assert_int_equal(window_puback(&window, &use, 2), WINDOW_ACK_TAKEN);
    refuse = 2;
    assert_false(window_send(&window, &use)); /* 4 */
    assert_false(window_send(&window, &use));
    assert_true(window_wants(&window, &use));
    refuse = 0;
    assert_true(window_send(&window, &use));
    assert_sent("P4.4 P0.5 P0.6 "); /* although the window is full; 7 waits */
    assert_int_equal(window_queued(&window), 1);
    assert_int_equal(window.inflight, 3);
    assert_false(window_wants(&window, &use));
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
    window_send(&window, &use);
    assert_sent("P5.7 ");
    assert_int_equal(window_pubrec(&window, &use, 5), WINDOW_ACK_TAKEN);
    assert_int_equal(window_pubcomp(&window, &use, 5), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 3), WINDOW_ACK_TAKEN);
    assert_int_equal(window_puback(&window, &use, 4), WINDOW_ACK_TAKEN);
    assert_int_equal(window.count, 0);
    assert_int_equal(window.queued_bytes, 0);
    assert_int_equal(window_bytes(&window), 0);
}

static void qos_0_refused_at_the_front_is_sent_later(void **state) {
    push_and_send(1, 1, 3);
    assert_sent("P1.1 P2.2 P3.3 ");
    assert_int_equal(push(1, 4), WINDOW_TAKEN);
    assert_int_equal(push(0, 5), WINDOW_TAKEN);
    assert_int_equal(window_puback(&window, &use, 1), WINDOW_ACK_TAKEN);
    assert_true(window_send(&window, &use));
    assert_sent("P4.4 P0.5 ");
    assert_int_equal(push(0, 6), WINDOW_TAKEN); /* nothing waits: still in order */
    refuse = 1;
    assert_false(window_send(&window, &use));
    assert_true(window_wants(&window, &use));
    assert_true(window_send(&window, &use));
    assert_sent("P0.6 ");
}

static void qos_0_does_not_outlive_the_connection(void **state) {
    push_and_send(1, 1, 4);
    assert_int_equal(push(0, 5), WINDOW_TAKEN);
    assert_int_equal(push(1, 6), WINDOW_TAKEN);
    assert_int_equal(push(0, 7), WINDOW_TAKEN);
    sent[0] = '\0';
    assert_int_equal(window_disconnected(&window, &memory.parcels), 2);
    assert_int_equal(window.count, 5);
    window_send(&window, &use);
    assert_sent("P1.1! P2.2! P3.3! ");
    for (uint16_t id = 1; id <= 3; id++)
        assert_int_equal(window_puback(&window, &use, id), WINDOW_ACK_TAKEN);
    window_send(&window, &use);
    assert_sent("P4.4 P5.6 ");
    assert_int_equal(window.queued_bytes, 0);
    assert_int_equal(window_disconnected(&window, &memory.parcels), 0);
}

static void without_memory_a_message_is_not_taken(void **state) {
    struct message *message = memory_message(&memory, "t", 1, 0);

    use.inflight = 100;
    use.queued = 100;
    for (unsigned i = 0; i < 20; i++) {
        uint32_t count = window.count;
        arena_fail_after(memory.arena, 1);
        enum window_result result = window_push(&window, &use, message, 1, false);
        arena_fail_after(memory.arena, 0);
        if (result == WINDOW_NO_MEMORY) {
            assert_int_equal(window.count, count);
            assert_int_equal(message->parcel.refs, count + 1);
            assert_int_equal(window_push(&window, &use, message, 1, false), WINDOW_TAKEN);
        }
        assert_int_equal(message->parcel.refs, count + 2);
    }
    window_clear(&window, &memory.parcels);
    assert_int_equal(message->parcel.refs, 1);
    parcel_release(&memory.parcels, message);
}

/* Against a list that does the same the slow way. */
static void any_mixture_keeps_order_and_forgets_nothing(void **state) {
    struct model {
        unsigned payload, qos, id;
        bool released;
    } model[64];
    unsigned n = 0, released = 0, inflight = 0, next_payload = 0, random = 7, acked = 0;

    use.inflight = 8;
    use.queued = 20;
    for (unsigned round = 0; round < 20000; round++) {
        random = random * 1103515245u + 12345u;
        unsigned what = (random >> 16) % 8;
        if (what < 3 && n < 28) {
            unsigned qos = 1 + (random >> 24) % 2;
            assert_int_equal(push((uint8_t)qos, (uint8_t)next_payload), WINDOW_TAKEN);
            model[n++] = (struct model){.payload = next_payload++ & 0xff, .qos = qos};
        } else if (what < 7 && inflight > 0) {
            unsigned i = (random >> 20) % inflight;
            struct model entry = model[i];
            if (entry.qos == 1 || entry.released) {
                if (entry.qos == 1)
                    assert_int_equal(window_puback(&window, &use, (uint16_t)entry.id),
                                     WINDOW_ACK_TAKEN);
                else
                    assert_int_equal(window_pubcomp(&window, &use, (uint16_t)entry.id),
                                     WINDOW_ACK_TAKEN);
                memmove(model + i, model + i + 1, (n - i - 1) * sizeof *model);
                n--;
                inflight--;
                released -= entry.released;
                acked++;
            } else {
                assert_int_equal(window_pubrec(&window, &use, (uint16_t)entry.id),
                                 WINDOW_ACK_TAKEN);
                entry.released = true;
                memmove(model + released + 1, model + released, (i - released) * sizeof *model);
                model[released++] = entry;
            }
        } else if (what == 7) {
            window_disconnected(&window, &memory.parcels);
            sent[0] = '\0';
            window_send(&window, &use);
            char all[1024] = "";
            for (unsigned i = 0; i < n && i < use.inflight; i++) {
                char text[32];
                if (i >= inflight) {
                    model[i].id =
                        window.entries[(window.head + i) & (window.capacity - 1)].packet_id;
                    snprintf(text, sizeof text, "P%u.%u ", model[i].id, model[i].payload);
                } else if (model[i].released) {
                    snprintf(text, sizeof text, "R%u ", model[i].id);
                } else {
                    snprintf(text, sizeof text, "P%u.%u! ", model[i].id, model[i].payload);
                }
                strcat(all, text);
            }
            inflight = n < use.inflight ? n : use.inflight;
            assert_sent(all);
        }
        sent[0] = '\0';
        window_send(&window, &use);
        for (; inflight < n && inflight < use.inflight; inflight++)
            model[inflight].id =
                window.entries[(window.head + inflight) & (window.capacity - 1)].packet_id;
        assert_int_equal(window.count, n);
        assert_int_equal(window.inflight, inflight);
        assert_int_equal(window.released, released);
    }
    assert_true(acked > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_memory, close_memory)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sent_by_pushing),
        TEST(no_more_than_the_inflight_limit_are_unacknowledged),
        TEST(an_empty_window_holds_no_memory),
        TEST(the_queue_is_bounded_by_count),
        TEST(the_queue_is_bounded_by_bytes_but_takes_one),
        TEST(a_qos2_message_is_released_and_completed),
        TEST(acknowledgements_may_come_out_of_order),
        TEST(an_acknowledgement_of_another_kind_changes_nothing),
        TEST(after_a_reconnect_all_in_flight_is_sent_again_in_order),
        TEST(a_message_never_sent_goes_out_without_dup),
        TEST(sending_goes_on_where_it_was_refused),
        TEST(a_pubrel_that_could_not_be_sent_is_sent_later),
        TEST(acknowledgements_during_a_replay_keep_the_order),
        TEST(qos_0_waits_behind_what_waits_and_is_gone_when_sent),
        TEST(qos_0_refused_at_the_front_is_sent_later),
        TEST(qos_0_does_not_outlive_the_connection),
        TEST(without_replay_a_message_is_released_once_sent),
        TEST(identifiers_in_flight_are_not_given_out_again),
        TEST(all_65535_identifiers_may_be_in_flight),
        TEST(without_memory_a_message_is_not_taken),
        TEST(any_mixture_keeps_order_and_forgets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
