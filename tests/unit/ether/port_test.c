/* SPDX-License-Identifier: Apache-2.0 */
/* A ring port, and transmission when it is full, stuck, or has fewer queues than workers. */
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "dataplane/base/bytes.h"
#include "drivers/packet_pool.h"
#include "tests/unit/ether/world.h"

enum { RING_FRAMES = 127 }; /* that a ring of 128 slots holds */

static struct rte_ring *ring_of(const char *name) {
    struct rte_ring *ring = rte_ring_lookup(name);
    assert_non_null(ring);
    return ring;
}

static struct tcp_segment some_segment(struct world *world) {
    struct bytes frame;
    tcp_ipv4_frame(&frame, 40000, 0);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    return world->batch.segments[0];
}

/* Sends `count` segments, numbered by their length. */
static void send_numbered(struct world *world, unsigned first, unsigned count) {
    struct tcp_segment segment = some_segment(world);
    for (unsigned i = first; i < first + count; i++)
        transmit(world, &segment.tuple, segment.hop, i % 1000);
}

static void frames_travel_through_a_ring_port_in_both_directions(void **state) {
    struct world *world = *state;
    struct bytes frame, reply;
    struct rte_mbuf *mbuf;
    arp_frame(&frame, broadcast_mac, 1, peer_mac, peer_ipv4, our_ipv4);
    assert_int_equal(rte_ring_enqueue(ring_of("unit_rx0"), frame_of(world, &frame)), 0);
    assert_int_equal(rte_eth_rx_burst(world->port.id, 0, &mbuf, 1), 1);
    ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
    assert_true(output(world, &reply));
    assert_int_equal(load_be16(reply.at + 20), 2);
}

static void a_port_opens_with_a_queue_for_each_worker_and_its_addresses(void **state) {
    struct world *world = *state;
    assert_int_equal(world->port.queues, 4);
    assert_null(world->port.shared_tx);
    assert_memory_equal(world->port.mac, our_mac, 6);
    assert_int_equal(world->port.offloads, 0);
    assert_int_equal(world->port.mtu, 1500);
    ring_of("unit_rx3");
    assert_null(rte_ring_lookup("unit_rx4"));
}

static void a_memif_port_has_one_queue_unless_the_configuration_says_more(void **state) {
    struct config_port config = {.kind = PORT_MEMIF};
    assert_int_equal(port_queues(&config, 4), 1);
    config.queues = 3;
    assert_int_equal(port_queues(&config, 4), 3);
    assert_int_equal(port_queues(&config, 2), 2);
    config = (struct config_port){.kind = PORT_TAP};
    assert_int_equal(port_queues(&config, 4), 4);
}

static void what_a_port_cannot_have_is_refused_with_a_sentence(void **state) {
    struct world *world = *state;
    struct config_port config = world->config;
    struct port port;
    char error[256];
    config.device = "another";
    config.mac = "03:00:00:00:00:01";
    assert_int_equal(port_open(&port, &config, 1, 1, mempool, error, sizeof error), -1);
    assert_non_null(strstr(error, "port another: mac: `03:00:00:00:00:01` is no MAC address"));
    config.mac = NULL;
    config.mtu = 9000;
    assert_int_equal(port_open(&port, &config, 1, 1, mempool, error, sizeof error), -1);
    assert_non_null(strstr(error, "port another: mtu: 9000 is outside of"));
    config.mtu = 1500;
    assert_int_equal(port_open(&port, &config, 1, 2, mempool, error, sizeof error), 0);
    assert_int_equal(port.mac[0], 2); /* made from the name */
    port_close(&port);
    assert_null(rte_ring_lookup("another_rx0"));
}

static void buffer_is_where_devices_look(struct rte_mempool *pool, void *wrong, void *object,
                                         unsigned i) {
    const struct rte_mbuf *mbuf = object;
    unsigned *count = wrong;
    *count += rte_mbuf_iova_get(mbuf) != (uintptr_t)mbuf->buf_addr;
}

/* These tests run without hugepages: a device sees virtual addresses. */
static void devices_find_each_packet_buffer_and_none_is_padded_to_a_page(void **state) {
    unsigned wrong = 0;
    assert_int_equal(rte_mempool_obj_iter(mempool, buffer_is_where_devices_look, &wrong), 4095);
    assert_int_equal(wrong, 0);
    const struct rte_memzone *memory = rte_memzone_lookup("frames_memory");
    assert_non_null(memory);
    assert_true(memory->len <= (size_t)4096 * PACKET_BUFFER_COST);
}

static void the_link_is_what_was_seen_last(void **state) {
    struct world *world = *state;
    uint32_t mbit;
    assert_false(port_link(&world->port, &mbit));
    assert_int_equal(mbit, 0);
    assert_true(port_link_look(&world->port));
    assert_true(port_link(&world->port, &mbit));
    assert_int_equal(mbit, 10000);
    assert_int_equal(rte_eth_dev_set_link_down(world->port.id), 0);
    assert_true(port_link(&world->port, &mbit));
    assert_false(port_link_look(&world->port));
    assert_false(port_link(&world->port, &mbit));
    assert_int_equal(rte_eth_dev_set_link_up(world->port.id), 0);
}

static void frames_wait_in_order_while_the_port_is_full(void **state) {
    struct world *world = *state;
    struct bytes frame;
    send_numbered(world, 0, 200);
    assert_int_equal(ether_flush(world->ether, world->now), 200 - RING_FRAMES);
    assert_int_equal(ether_flush(world->ether, world->now), 200 - RING_FRAMES);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(output(world, &frame));
        assert_int_equal(frame.len, 14 + 20 + 20 + i);
    }
    assert_int_equal(ether_flush(world->ether, world->now), 0);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_PACKETS), 200);
}

static void beyond_the_backlog_frames_are_dropped_and_counted(void **state) {
    struct world *world = *state;
    struct bytes frame;
    send_numbered(world, 0, TX_BACKLOG + 10);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_FULL), 10);
    assert_int_equal(ether_flush(world->ether, world->now), TX_BACKLOG - RING_FRAMES);
    send_numbered(world, TX_BACKLOG, RING_FRAMES); /* into the room that there is */
    assert_int_equal(counted(world, COUNTER_ETHER_TX_FULL), 10);
    for (unsigned i = 0; i < TX_BACKLOG + RING_FRAMES; i++) {
        assert_true(output(world, &frame));
        assert_int_equal(frame.len, 14 + 20 + 20 + i % 1000);
    }
}

static bool must_wait(struct world *world, uint32_t hop) {
    const struct tcp_link *link = ether_tcp_link(world->ether);
    return link->wait(link->link, hop);
}

static void tcp_waits_while_the_backlog_is_full_and_arp_does_not(void **state) {
    struct world *world = *state;
    struct bytes frame;
    struct tcp_segment segment = some_segment(world);
    for (unsigned i = 0; i < TX_FULL; i++) {
        assert_false(must_wait(world, segment.hop));
        transmit(world, &segment.tuple, segment.hop, 0);
    }
    assert_true(must_wait(world, segment.hop));
    assert_false(must_wait(world, segment.hop + 1)); /* nobody: goes to a router or nowhere */
    arp_frame(&frame, broadcast_mac, 1, peer_mac, peer_ipv4, our_ipv4);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ARP_REPLIES), 1);
    assert_int_equal(ether_flush(world->ether, world->now), TX_FULL + 1 - RING_FRAMES);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_WAITS), 1);
    assert_false(must_wait(world, segment.hop));
    ether_flush(world->ether, world->now);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_WAITS), 1);
    for (unsigned i = 0; i < TX_FULL + 1; i++)
        assert_true(output(world, &frame));
    assert_int_equal(counted(world, COUNTER_ETHER_TX_FULL), 0);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 0);
}

/* Flushes every 100 microseconds for so long; how many wait then. */
static unsigned flush_for(struct world *world, unsigned microseconds) {
    unsigned waiting = 0;
    for (unsigned passed = 0; passed < microseconds; passed += 100) {
        world->now += 100;
        waiting = ether_flush(world->ether, world->now);
    }
    return waiting;
}

static void take(struct world *world, unsigned count) {
    void *frame = NULL;
    for (; count > 0; count--) {
        assert_int_equal(rte_ring_dequeue(ring_of("unit_tx0"), &frame), 0);
        rte_pktmbuf_free(frame);
    }
}

static void a_port_that_takes_nothing_for_long_is_dead_until_it_takes_some(void **state) {
    struct world *world = *state;
    send_numbered(world, 0, RING_FRAMES + 5);
    assert_int_equal(flush_for(world, TX_PATIENCE_US), 5);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 0);
    assert_int_equal(flush_for(world, 1000), 0); /* the worker may sleep */
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 5);
    /* TCP sends little. */
    struct tcp_segment segment = some_segment(world);
    assert_true(must_wait(world, segment.hop));
    assert_int_equal(flush_for(world, TX_PROBE_US), 0);
    for (unsigned i = 0; i < TX_PROBE; i++) {
        assert_false(must_wait(world, segment.hop));
        transmit(world, &segment.tuple, segment.hop, 0);
    }
    assert_true(must_wait(world, segment.hop));
    /* It is offered once, and so is what cannot wait. */
    assert_int_equal(flush_for(world, 100), 0);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 5 + TX_PROBE);
    assert_true(must_wait(world, segment.hop));
    send_numbered(world, 0, 3);
    assert_int_equal(flush_for(world, 100), 0);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 8 + TX_PROBE);
    /* It lives again. */
    take(world, 2);
    send_numbered(world, 0, 3);
    assert_int_equal(flush_for(world, 100), 1);
    assert_false(must_wait(world, segment.hop));
    assert_int_equal(flush_for(world, TX_PATIENCE_US - 1000), 1);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 8 + TX_PROBE);
}

static void a_slow_port_loses_what_waited_too_long_and_no_more(void **state) {
    struct world *world = *state;
    send_numbered(world, 0, RING_FRAMES + 50);
    flush_for(world, 100);
    send_numbered(world, 0, 20);
    flush_for(world, TX_PATIENCE_US - 1000);
    take(world, 10);
    assert_int_equal(flush_for(world, 100), 60);
    assert_int_equal(flush_for(world, 2000), 20);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_STUCK), 40);
    /* For the others the time begins there. */
    assert_int_equal(flush_for(world, TX_PATIENCE_US - 10000), 20);
}

static void time_in_which_the_worker_did_not_run_does_not_count(void **state) {
    struct world *world = *state;
    send_numbered(world, 0, RING_FRAMES + 5);
    flush_for(world, 100);
    for (unsigned i = 0; i < 50; i++) {
        world->now += TX_PATIENCE_US;
        assert_int_equal(ether_flush(world->ether, world->now), 5);
    }
}

/* Four workers share two queues; who opens ether next says which worker he is. */
static void reopen_with_two_queues(struct world *world) {
    char error[256];
    ether_destroy(world->ether);
    world->ether = NULL;
    port_close(&world->port);
    world->config.queues = 2;
    assert_int_equal(port_open(&world->port, &world->config, 0, 4, mempool, error, sizeof error),
                     0);
}

static unsigned woken, woken_worker;

static void wake(void *argument, unsigned worker) {
    woken++;
    woken_worker = worker;
}

static void a_worker_without_a_queue_sends_through_the_owner_of_one(void **state) {
    struct world *world = *state;
    struct bytes frame;
    reopen_with_two_queues(world);
    assert_int_equal(world->port.queues, 2);
    world_reopen_ether(world, 1, 4);
    struct ether *owner = world->ether;
    world->ether = NULL;
    world_reopen_ether(world, 3, 4); /* its queue is 1 */
    world->ether->wake = wake;
    woken = 0;
    ether_announce(world->ether);
    assert_int_equal(ether_flush(world->ether, world->now), 0);
    assert_int_equal(woken, 1);
    assert_int_equal(woken_worker, 1);
    assert_int_equal(rte_ring_count(ring_of("unit_tx1")), 0);
    assert_int_equal(ether_flush(owner, world->now), 0);
    assert_int_equal(rte_ring_count(ring_of("unit_tx1")), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(output(world, &frame));
    ether_destroy(owner);
}

/* Worker 1 owns the queue, worker 3 has none, and each has more to send than the port takes. */
static void workers_share_a_queue_that_is_full(void **state) {
    struct world *world = *state;
    struct bytes frame;
    unsigned ours = 0, theirs = 0;
    reopen_with_two_queues(world);
    world_reopen_ether(world, 3, 4);
    struct ether *other = world->ether;
    world->ether = NULL;
    world_reopen_ether(world, 1, 4);
    struct ether *owner = world->ether;
    tcp_ipv4_frame(&frame, 40000, 0);
    for (unsigned turn = 0; turn < 200; turn++) {
        for (unsigned i = 0; i < 2; i++) {
            world->ether = i ? other : owner;
            input_handed_over(world, &frame);
            struct tcp_segment segment = world->batch.segments[0];
            while (!must_wait(world, segment.hop))
                transmit(world, &segment.tuple, segment.hop, i);
            ether_flush(world->ether, world->now);
        }
        void *sent;
        for (unsigned i = 0; i < 32; i++)
            if (rte_ring_dequeue(ring_of("unit_tx1"), &sent) == 0) {
                struct rte_mbuf *mbuf = sent;
                *(mbuf->pkt_len == 54 ? &ours : &theirs) += 1;
                rte_pktmbuf_free(mbuf);
            }
    }
    assert_true(ours + theirs > 6000);
    assert_in_range(theirs, ours / 4, ours);
    assert_int_equal(counted(world, COUNTER_ETHER_TX_FULL), 0);
    world->ether = owner;
    ether_destroy(other);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define TEST_FOUR(name) cmocka_unit_test_setup_teardown(name, world_open_of_four, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(frames_travel_through_a_ring_port_in_both_directions),
        TEST_FOUR(a_port_opens_with_a_queue_for_each_worker_and_its_addresses),
        cmocka_unit_test(a_memif_port_has_one_queue_unless_the_configuration_says_more),
        TEST(what_a_port_cannot_have_is_refused_with_a_sentence),
        TEST(devices_find_each_packet_buffer_and_none_is_padded_to_a_page),
        TEST(the_link_is_what_was_seen_last),
        TEST(frames_wait_in_order_while_the_port_is_full),
        TEST(beyond_the_backlog_frames_are_dropped_and_counted),
        TEST(tcp_waits_while_the_backlog_is_full_and_arp_does_not),
        TEST(a_port_that_takes_nothing_for_long_is_dead_until_it_takes_some),
        TEST(a_slow_port_loses_what_waited_too_long_and_no_more),
        TEST(time_in_which_the_worker_did_not_run_does_not_count),
        TEST_FOUR(a_worker_without_a_queue_sends_through_the_owner_of_one),
        TEST_FOUR(workers_share_a_queue_that_is_full),
    };
    return cmocka_run_group_tests_name("port", tests, eal_open, eal_close);
}
