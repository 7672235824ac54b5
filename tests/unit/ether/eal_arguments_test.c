/* SPDX-License-Identifier: Apache-2.0 */
/* What EAL is told for a configuration, without starting it. */
#include "drivers/eal_arguments.h"
#include "tests/unit/ether/world.h"

#include <string.h>

static char error[256];

static struct eal_machine machine_of(unsigned cpus, unsigned hugepages_mib) {
    struct eal_machine machine = {.hugepages_mib = hugepages_mib, .process = 4711};
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        CPU_SET(cpu, &machine.cpus);
    return machine;
}

static bool has(const struct eal_arguments *arguments, const char *text) {
    for (int i = 0; i < arguments->count; i++)
        if (strcmp(arguments->v[i], text) == 0)
            return true;
    return false;
}

static void assert_lcores(unsigned cpus, unsigned workers, const char *list, const char *expected) {
    struct config config = {.workers = {.count = workers, .cpus = list, .packet_memory_mib = 64}};
    struct eal_machine machine = machine_of(cpus, 0);
    struct eal_arguments arguments;
    assert_int_equal(eal_arguments_make(&config, &machine, &arguments, error, sizeof error), 0);
    if (!has(&arguments, expected))
        fail_msg("no %s", expected);
    eal_arguments_free(&arguments);
}

static void each_worker_gets_its_cpu_and_the_main_thread_the_rest(void **state) {
    assert_lcores(8, 2, "2,3", "--lcores=0@(0-1,4-7),1@2,2@3");
    assert_lcores(8, 3, "4-6", "--lcores=0@(0-3,7-7),1@4,2@5,3@6");
}

static void workers_share_cpus_when_there_are_fewer(void **state) {
    assert_lcores(2, 4, "0-1", "--lcores=0@(0-1),1@0,2@1,3@0,4@1");
    assert_lcores(4, 3, "3", "--lcores=0@(0-2),1@3,2@3,3@3");
}

static void without_a_list_workers_run_where_the_process_may(void **state) {
    assert_lcores(2, 4, NULL, "--lcores=0@(0-1),(1-4)@(0-1)");
}

static void a_bad_list_of_cpus_is_refused(void **state) {
    static const char *const lists[] = {"", "a", "1,", "3-1", "1;2", "-1", "99999999999", "2"};
    struct eal_machine machine = machine_of(2, 0);
    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct config config = {.workers = {.count = 1, .cpus = lists[i], .packet_memory_mib = 64}};
        struct eal_arguments arguments;
        error[0] = '\0';
        assert_int_equal(eal_arguments_make(&config, &machine, &arguments, error, sizeof error),
                         -1);
        assert_non_null(strstr(error, "workers.cpus: "));
        eal_arguments_free(&arguments);
    }
}

static void hugepages_are_used_when_wanted_and_enough_are_free(void **state) {
    for (unsigned i = 0; i < 4; i++) {
        bool wanted = i & 1, free = i & 2;
        struct config config = {
            .workers = {.count = 1, .hugepages = wanted, .packet_memory_mib = 256}};
        struct eal_machine machine = machine_of(2, free ? 256 : 255);
        struct eal_arguments arguments;
        assert_int_equal(eal_arguments_make(&config, &machine, &arguments, error, sizeof error), 0);
        assert_int_equal(arguments.hugepages, wanted && free);
        assert_int_equal(has(&arguments, "--in-memory"), wanted && free);
        assert_int_equal(has(&arguments, "--no-huge"), !(wanted && free));
        assert_int_equal(has(&arguments, "--no-shconf"), !(wanted && free));
        assert_true(has(&arguments, "-m256"));
        eal_arguments_free(&arguments);
    }
}

static void assert_memory(struct config config, struct eal_machine machine, const char *sentence) {
    error[0] = '\0';
    assert_int_equal(eal_memory_check(&config, &machine, error, sizeof error),
                     sentence == NULL ? 0 : -1);
    if (sentence != NULL && strstr(error, sentence) == NULL)
        fail_msg("%s", error);
}

static void more_packet_memory_than_there_is_is_refused_with_what_would_be_right(void **state) {
    struct config config = {.workers = {.count = 2, .packet_memory_mib = 65536}};
    struct eal_machine machine = {.memory_mib = 22000};
    assert_memory(config, machine,
                  "workers.packet_memory_mib: 65536 MiB is too much: this process can have 22000 "
                  "MiB of memory, some of which everything else needs; at most 20625");
    config.workers.packet_memory_mib = 20625;
    assert_memory(config, machine, NULL);
    config.workers.packet_memory_mib++;
    assert_memory(config, machine, "at most 20625");
    /* In hugepages it is none of that memory. */
    machine.hugepages_mib = 65536;
    assert_memory(config, machine, "at most 20625");
    config.workers.hugepages = true;
    config.workers.packet_memory_mib = 65536;
    assert_memory(config, machine, NULL);
}

static void memory_that_is_touched_at_start_must_be_there_too(void **state) {
    struct config config = {.workers = {.count = 4, .packet_memory_mib = 500, .memory_mib = 300}};
    struct eal_machine machine = {.memory_mib = 1600};
    assert_memory(config, machine, NULL); /* that is only the most that they may take */
    config.workers.prefault = true;
    assert_memory(config, machine, "workers.memory_mib: 300 MiB for each of 4 workers");
    assert_memory(config, machine, "at most 250");
    config.workers.memory_mib = 250;
    assert_memory(config, machine, NULL);
}

static void the_memory_of_this_machine_is_known(void **state) {
    struct eal_machine machine;
    eal_machine_look(&machine);
    assert_true(machine.memory_mib > 0 && machine.memory_mib < 64u << 20);
}

static void ports_become_devices_and_users_may_add_arguments(void **state) {
    struct config_port port = {
        .kind = PORT_MEMIF, .device = "/tmp/linemq-test-none.sock", .queue_size = 1024};
    struct config config = {
        .workers = {.count = 1, .packet_memory_mib = 64, .eal = "  --huge-worker-stack=64 -v "},
        .ports = &port,
        .ports_count = 1};
    struct eal_machine machine = machine_of(2, 0);
    struct eal_arguments arguments;
    assert_int_equal(eal_arguments_make(&config, &machine, &arguments, error, sizeof error), 0);
    assert_true(has(&arguments, "--vdev=net_memif0,socket=/tmp/linemq-test-none.sock,"
                                "socket-abstract=no,role=server,rsize=10"));
    assert_true(has(&arguments, "--no-pci"));
    assert_true(has(&arguments, "--iova-mode=va"));
    assert_true(has(&arguments, "--file-prefix=linemq-4711"));
    assert_true(has(&arguments, "--no-telemetry"));
    assert_string_equal(arguments.v[arguments.count - 2], "--huge-worker-stack=64");
    assert_string_equal(arguments.v[arguments.count - 1], "-v");
    assert_null(arguments.v[arguments.count]);
    eal_arguments_free(&arguments);
}

static void what_a_port_cannot_be_is_said_before_eal_starts(void **state) {
    static const struct {
        struct config_port port;
        const char *sentence;
    } cases[] = {
        {{.kind = PORT_TAP, .device = "name-too-long-for-it"}, "an interface name has 1 to 15"},
        {{.kind = PORT_TAP, .device = "t0", .options = "iface=x"}, "`iface` is none of a tap port"},
        {{.kind = PORT_AF_PACKET, .device = "no-such-if"}, "there is no such interface"},
        {{.kind = PORT_AF_XDP, .device = "no-such-if"}, "there is no such interface"},
        {{.kind = PORT_MEMIF, .device = "relative"}, "begins with /"},
        {{.kind = PORT_MEMIF, .device = "/no/such/folder/s"}, "no socket can be made in"},
        {{.kind = PORT_MEMIF, .device = "/dev/null"}, "the file exists and is no socket"},
        {{.kind = PORT_PCI, .device = "eth0"}, "a PCI address looks like 0000:01:00.0"},
        {{.kind = PORT_PCI, .device = "ffff:ff:1f.7"}, "there is no such PCI device"},
        {{.kind = PORT_RING, .device = "a-name-that-is-too-long-for-a-ring"}, "too long"},
    };
    struct eal_machine machine = machine_of(2, 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_port port = cases[i].port;
        struct config config = {
            .workers = {.count = 1, .packet_memory_mib = 64}, .ports = &port, .ports_count = 1};
        struct eal_arguments arguments;
        error[0] = '\0';
        assert_int_equal(eal_arguments_make(&config, &machine, &arguments, error, sizeof error),
                         -1);
        if (strstr(error, cases[i].sentence) == NULL && strstr(error, "needs CAP_NET") == NULL)
            fail_msg("%s", error);
        assert_non_null(strstr(error, port.device));
        eal_arguments_free(&arguments);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_worker_gets_its_cpu_and_the_main_thread_the_rest),
        cmocka_unit_test(workers_share_cpus_when_there_are_fewer),
        cmocka_unit_test(without_a_list_workers_run_where_the_process_may),
        cmocka_unit_test(a_bad_list_of_cpus_is_refused),
        cmocka_unit_test(hugepages_are_used_when_wanted_and_enough_are_free),
        cmocka_unit_test(more_packet_memory_than_there_is_is_refused_with_what_would_be_right),
        cmocka_unit_test(memory_that_is_touched_at_start_must_be_there_too),
        cmocka_unit_test(the_memory_of_this_machine_is_known),
        cmocka_unit_test(ports_become_devices_and_users_may_add_arguments),
        cmocka_unit_test(what_a_port_cannot_be_is_said_before_eal_starts),
    };
    return cmocka_run_group_tests_name("eal_arguments", tests, NULL, NULL);
}
