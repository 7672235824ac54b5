/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_file.h"
#include "control/config/keys.h"

static void the_example_file_says_the_defaults(void **state) {
    struct config *defaults = config_load(NULL, NULL, 0, stderr);
    struct config *example = config_load(EXAMPLE_FILE, NULL, 0, stderr);
    assert_non_null(defaults);
    assert_non_null(example);
    char *left = printed(defaults), *right = printed(example);
    assert_string_equal(left, right);
    free(left);
    free(right);
    config_free(defaults);
    config_free(example);
}

static void the_example_file_names_every_key(void **state) {
    FILE *file = fopen(EXAMPLE_FILE, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    for (unsigned s = 0; s < config_sections_count; s++) {
        for (unsigned k = 0; k < config_sections[s].keys_count; k++) {
            char wanted[64];
            snprintf(wanted, sizeof wanted, " %s:", config_sections[s].keys[k].name);
            if (strstr(text, wanted) == NULL) {
                fail_msg("%s.%s is not in the example file", config_sections[s].name,
                         config_sections[s].keys[k].name);
            }
        }
    }
    free(text);
}

static void defaults_are_what_the_documentation_says(void **state) {
    struct config *config = config_load(NULL, NULL, 0, stderr);
    assert_non_null(config);
    assert_int_equal(config->workers.count, 1);
    assert_int_equal(config->workers.idle, IDLE_SLEEP);
    assert_true(config->workers.hugepages);
    assert_null(config->workers.cpus);
    assert_int_equal(config->ports_count, 1);
    assert_int_equal(config->ports[0].kind, PORT_TAP);
    assert_string_equal(config->ports[0].device, "linemq0");
    assert_string_equal(config->ports[0].address, "10.88.0.2/24");
    assert_string_equal(config->ports[0].address6, "fd88::2/64");
    assert_int_equal(config->ports[0].mtu, 1500);
    assert_int_equal(config->listeners_count, 1);
    assert_int_equal(config->listeners[0].port, 1883);
    assert_int_equal(config->auth_count, 1);
    assert_int_equal(config->auth[0].kind, AUTH_ANONYMOUS);
    assert_int_equal(config->mqtt.inflight, 20);
    assert_int_equal(config->mqtt.session_expiry, 3 * 24 * 3600);
    assert_int_equal(config->mqtt.refuse_subscriptions_count, 0);
    assert_string_equal(config->control.socket, "/run/linemq/ctl.sock");
    config_free(config);
}

static void what_is_printed_reads_back_the_same(void **state) {
    char *errors;
    struct config *config =
        load("workers: {count: 4, cpus: 2-5, idle: spin, prefault: on}\n"
             "ports:\n"
             "  - {kind: pci, device: '0000:03:00.0', address: 192.0.2.1/24,\n"
             "     mac: 02:00:00:00:00:01, vlan: 7}\n"
             "  - {kind: memif, device: /run/m.sock, address6: 2001:db8::1/64}\n"
             "auth: [{kind: password_file, path: \"/etc/a \\\"b\\\"\"},\n"
             "       {kind: anonymous}]\n"
             "mqtt: {refuse_subscriptions: [test/nosubscribe, \"#\"]}\n"
             "log: {level: debug, format: json}\n",
             &errors);
    assert_string_equal(errors, "");
    assert_non_null(config);
    assert_int_equal(config->ports_count, 2);
    assert_int_equal(config->ports[0].kind, PORT_PCI);
    assert_int_equal(config->ports[0].vlan, 7);
    assert_string_equal(config->ports[0].mac, "02:00:00:00:00:01");
    assert_int_equal(config->ports[1].mtu, 1500);
    assert_true(config->workers.prefault);
    assert_string_equal(config->mqtt.refuse_subscriptions[1], "#");
    assert_string_equal(config->auth[0].path, "/etc/a \"b\"");
    char *first = printed(config);
    free(errors);
    struct config *again = load(first, &errors);
    assert_string_equal(errors, "");
    char *second = printed(again);
    assert_string_equal(first, second);
    free(first);
    free(second);
    free(errors);
    config_free(config);
    config_free(again);
}

static void an_empty_file_means_the_defaults(void **state) {
    static const char *const empty[] = {"", "# nothing\n", "---\n", "mqtt:\n  # inflight: 3\n"};
    for (unsigned i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        char *errors;
        struct config *config = load(empty[i], &errors);
        assert_string_equal(errors, "");
        assert_int_equal(config->mqtt.inflight, 20);
        config_free(config);
        free(errors);
    }
}

static const struct {
    const char *text, *errors;
} mistakes[] = {
    {"mqtt:\n  inflght: 3\n", "2: mqtt.inflght: there is no such key; did you mean `inflight`?\n"},
    {"mqqt: {}\n", "1: mqqt: there is no such key; did you mean `mqtt`?\n"},
    {"log: {colour_of_the_bikeshed: red}\n",
     "1: log.colour_of_the_bikeshed: there is no such key; there are: level, format\n"},
    {"\nworkers:\n  count: many\n",
     "3: workers.count: `many` is not a whole number; give a whole number from 1 to 30\n"},
    {"workers: {count: 0}\n",
     "1: workers.count: 0 is out of range; give a whole number from 1 to 30\n"},
    {"workers: {count: -1}\n",
     "1: workers.count: `-1` is not a whole number; give a whole number from 1 to 30\n"},
    {"workers: {count: 99999999999999999999999999}\n",
     "1: workers.count: 99999999999999999999999999 is out of range; give a whole number from 1 to "
     "30\n"},
    {"workers: {count: [1]}\n", "1: workers.count: is a list; give a whole number from 1 to 30\n"},
    {"workers:\n  count:\n", "2: workers.count: has no value; give a whole number from 1 to 30\n"},
    {"workers: {idle: doze}\n",
     "1: workers.idle: `doze` is not known here; give one of sleep, spin\n"},
    {"workers: {hugepages: maybe}\n",
     "1: workers.hugepages: `maybe` is neither; give true or false\n"},
    {"workers: {cpus: 5-2}\n",
     "1: workers.cpus: `5-2` is not that; give CPU numbers such as 2,3 or 2-5\n"},
    {"workers: {cpus: '1,,2'}\n",
     "1: workers.cpus: `1,,2` is not that; give CPU numbers such as 2,3 or 2-5\n"},
    {"workers: {count: 20}\ncontrol: {shards: 12}\n",
     "1: workers.count: 20 workers and 12 shards (control.shards) are too many threads; together "
     "at most 31\n"},
    {"workers: 3\n", "1: workers: is not a mapping; give its keys indented below it\n"},
    {"workers: {count: 1, count: 2}\n",
     "1: workers.count: is given again, first on line 1; give it once\n"},
    {"log: {}\nlog: {}\n", "2: log: is given again, first on line 1; give it once\n"},
    {"ports: []\n", "1: ports: has 0 entries; give 1 to 16\n"},
    {"ports:\n", "1: ports: has 0 entries; give 1 to 16\n"},
    {"ports: {kind: tap}\n", "1: ports: is not a list; begin each entry with `- `\n"},
    {"ports:\n  - tap\n", "2: ports[0]: is not a mapping; give `kind: VALUE`\n"},
    {"ports:\n  - {kind: tap, address: 10.0.0.1/8}\n",
     "2: ports[0].device: is missing; give text of 1 to 107 bytes\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1}]\n",
     "1: ports[0].address: `10.0.0.1` is not that; give the IPv4 address of one host with its "
     "prefix length, such as 10.88.0.2/24\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/8, address6: 'ff02::1/64'}]\n",
     "1: ports[0].address6: `ff02::1/64` is not that; give the IPv6 address of one host with its "
     "prefix length, such as fd88::2/64\n"},
    {"ports: [{kind: tap, device: t, address: 10.1.2.0/24}]\n",
     "1: ports[0].address: `10.1.2.0/24` is the address of the network itself; give that of one "
     "host in it\n"},
    {"ports: [{kind: tap, device: t, address: 10.1.3.255/23}]\n",
     "1: ports[0].address: `10.1.3.255/23` is the broadcast address of its network; give that of "
     "one host in it\n"},
    {"ports: [{kind: tap, device: t, address6: 'fd00:0::/64'}]\n",
     "1: ports[0].address6: `fd00:0::/64` is the anycast address of the network's routers; give "
     "that of one host in it\n"},
    {"ports: [{kind: tap, device: t, address6: '::ffff:10.0.0.1/120'}]\n",
     "1: ports[0].address6: `::ffff:10.0.0.1/120` is an IPv4 address in the form of IPv6, which is "
     "never on the wire; give it as `address`\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/24, gateway: 10.0.0.9/24}]\n",
     "1: ports[0].gateway: `10.0.0.9/24` is not that; give the IPv4 address of one host, such as "
     "10.88.0.1\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/24, gateway: 10.0.1.9}]\n",
     "1: ports[0].gateway: `10.0.1.9` is not on this link; give the router's address in the "
     "network "
     "of `10.0.0.1/24`\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/24, gateway: 10.0.0.1}]\n",
     "1: ports[0].gateway: `10.0.0.1` is our own address; give the router's address in the network "
     "of `10.0.0.1/24`\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/24, gateway6: 'fe80::1'}]\n",
     "1: ports[0].gateway6: there is no `address6` that it could be the gateway of\n"},
    {"ports: [{kind: tap, device: t, address6: 'fd00::2/64', gateway6: 'fd00:1::1'}]\n",
     "1: ports[0].gateway6: `fd00:1::1` is not on this link; give the router's address in the "
     "network of `fd00::2/64`\n"},
    {"ports:\n  - {kind: ring, device: a, address: 10.0.0.1/8}\n"
     "  - {kind: ring, device: b, address: 10.0.0.1/24}\n",
     "3: ports[1].address: `10.0.0.1/24` is the address of ports[0] already; give each port its "
     "own\n"},
    {"ports:\n  - {kind: ring, device: a, address6: 'fd00::1/64'}\n"
     "  - {kind: ring, device: b, address6: 'fd00:0::0001/64'}\n",
     "3: ports[1].address6: `fd00:0::0001/64` is the address of ports[0] already; give each port "
     "its own\n"},
    {"ports: [{kind: tap, device: t, address: 10.0.0.1/8, mac: 01:00:00:00:00:01}]\n",
     "1: ports[0].mac: `01:00:00:00:00:01` is not that; give a unicast Ethernet address such as "
     "02:00:00:00:00:01\n"},
    {"ports:\n  - kind: tap\n    device: t\n",
     "2: ports[0]: has no address; give `address`, `address6` or both\n"},
    {"ports: [{kind: tap, device: a-name-of-17-char, address: 10.0.0.1/8}]\n",
     "1: ports[0].device: `a-name-of-17-char` does not suit this kind; give an interface name of "
     "at "
     "most 15 bytes without `/`, `:`, `,` and blanks\n"},
    {"ports: [{kind: pci, device: eth0, address: 10.0.0.1/8}]\n",
     "1: ports[0].device: `eth0` does not suit this kind; give a PCI address such as "
     "0000:03:00.0\n"},
    {"ports:\n  - {kind: ring, device: r, address: 10.0.0.1/8}\n"
     "  - {kind: ring, device: r, address: 10.0.0.2/8}\n",
     "3: ports[1].device: `r` is ports[0] already; name each device once\n"},
    {"ports: [{kind: ring, device: r, address6: 'fd00::1/64', mtu: 1200}]\n",
     "1: ports[0].mtu: 1200 is too small for IPv6; at least 1280, or no `address6`\n"
     "1: tcp.mss: 1360 does not fit the MTU 1200 of ports[0]; at most 1140\n"},
    {"tcp:\n  mss: 1460\n",
     "2: tcp.mss: 1460 does not fit the MTU 1500 of ports[0]; at most 1440\n"},
    {"tcp: {rto_min_ms: 5000, rto_max_ms: 1000}\n",
     "1: tcp.rto_min_ms: 5000 is above tcp.rto_max_ms; at most 1000\n"},
    {"listeners: [{port: 1883},\n {port: 1883}]\n",
     "2: listeners[1].port: 1883 is listeners[0] already; name each port once\n"},
    {"listeners: [{port: 0}]\n",
     "1: listeners[0].port: 0 is out of range; give a whole number from 1 to 65535\n"},
    {"auth: [{kind: password_file}]\n",
     "1: auth[0].path: is missing; give the password file's name\n"},
    {"auth: [{kind: password_file, path: passwords}]\n",
     "1: auth[0].path: `passwords` is not that; give an absolute file name of at most 4095 "
     "bytes\n"},
    {"auth: [{kind: anonymous}, {kind: password_file, path: /p}]\n",
     "1: auth[0].kind: `anonymous` accepts everybody, so nothing after it is asked; put it last\n"},
    {"mqtt: {refuse_subscriptions: a/b}\n",
     "1: mqtt.refuse_subscriptions: `a/b` is one text; give a list of texts, such as [\"a/b\", "
     "\"c\"]\n"},
    {"mqtt: {refuse_subscriptions: [a, {b: c}]}\n",
     "1: mqtt.refuse_subscriptions[1]: is a mapping; give a text\n"},
    {"workers: {memory_mib: 64, partial_memory_mib: 33}\n",
     "1: workers.partial_memory_mib: 33 is more than half of workers.memory_mib; at most 32\n"},
    {"mqtt:\n  packet_size: 2000000\n",
     "2: mqtt.send_queue_bytes: 1048576 is less than mqtt.packet_size; at least 2000000\n"},
    {"mqtt:\n  inflight: 1\n  packet_size: 2000000\n  send_queue_bytes: 8192\n",
     "4: mqtt.send_queue_bytes: 8192 is less than mqtt.packet_size; at least 2000000\n"},
    {"tcp:\n  window: 8192\n  rto_max_ms: 1000\n  rto_min_ms: 2000\n",
     "4: tcp.rto_min_ms: 2000 is above tcp.rto_max_ms; at most 1000\n"},
    {"workers:\n  idle: spin\n  count: 30\ncontrol:\n  shards: 16\n",
     "3: workers.count: 30 workers and 16 shards (control.shards) are too many threads; together "
     "at "
     "most 31\n"},
    {"tcp:\n  window: 8192\nports:\n  - kind: tap\n    device: t\n    address: 10.0.0.1/24\n"
     "    mtu: 1000\n",
     "7: tcp.mss: 1360 does not fit the MTU 1000 of ports[0]; at most 960\n"},
    {"ports:\n  - {kind: tap, device: t, address6: 'fe80::1/64'}\n",
     "2: ports[0].address6: `fe80::1/64` is a link-local address, which no router forwards and "
     "clients can "
     "only use with the name of their interface; give a global one, or one of your own from "
     "fd00::/8\n"},
    {"ports:\n  - {kind: tap, device: t, address6: 'febf::1/10'}\n",
     "2: ports[0].address6: `febf::1/10` is a link-local address, which no router forwards and "
     "clients can "
     "only use with the name of their interface; give a global one, or one of your own from "
     "fd00::/8\n"},
    {"mqtt: {send_queue_bytes: 4096}\n",
     "1: mqtt.send_queue_bytes: 4096 is less than mqtt.packet_size; at least 1048576\n"},
    {"- a\n", "1: file: is not a mapping; give sections such as `mqtt:` with keys below them\n"},
    {"log: {level: info}\n---\nlog: {}\n",
     "3: file: a second YAML document begins; remove the `---` before it\n"},
    {"log:\n\tlevel: info\n",
     "2: syntax: found character that cannot start any token (while scanning for the next token, "
     "line 2); check indentation (blanks, no tabs), colons and quotes\n"},
};

static void every_mistake_is_named_with_its_line_and_what_would_be_right(void **state) {
    for (unsigned i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char *errors;
        assert_null(load(mistakes[i].text, &errors));
        assert_string_equal(errors, mistakes[i].errors);
        free(errors);
    }
}

static void all_mistakes_come_in_one_go_in_the_order_of_the_lines(void **state) {
    char *errors;
    assert_null(load("log:\n  level: loud\nports:\n  - kind: tub\n    device: t\n"
                     "    address: 10.0.0.1/8\nworkers:\n  count: 31\n",
                     &errors));
    const char *second = strstr(errors, "\n4: ports[0].kind: ");
    assert_int_equal(strncmp(errors, "2: log.level: ", 14), 0);
    assert_non_null(second);
    assert_non_null(strstr(second, "\n8: workers.count: "));
    free(errors);
}

static void a_missing_file_and_a_directory_are_named(void **state) {
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    assert_null(config_load("/nonexistent/linemq.yaml", NULL, 0, out));
    assert_null(config_load("/tmp", NULL, 0, out));
    fclose(out);
    assert_string_equal(text, "/nonexistent/linemq.yaml: file: cannot be read: No such file or "
                              "directory; give the name of a readable YAML file\n"
                              "/tmp: file: cannot be read: Is a directory; give the name of a "
                              "readable YAML file\n");
    free(text);
}

static void bytes_that_are_not_text_are_refused(void **state) {
    static const char *const bad[] = {
        "log: {level: \xff\xfe}\n", "log: \"\\x07\xc3\n", "&a [*a]\n",
        "a: &a {a: *a}\n",          "? [a]\n: b\n",       "log: {? [x] : y}\n"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *errors;
        assert_null(load(bad[i], &errors));
        assert_true(strlen(errors) > 10);
        free(errors);
    }
    char *errors;
    static const char zero[] = "control: {socket: \"/a\\0b\"}\n";
    assert_null(load(zero, &errors));
    assert_non_null(strstr(errors, "has a zero byte in it"));
    free(errors);
}

/* libyaml alone would need some ten seconds for each of these. */
static void what_is_nested_without_end_is_refused_at_once(void **state) {
    enum { DEEP = 100000 };
    static const char *const parts[] = {"[", "{a: ", "- "};
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *text = calloc(DEEP, 5), *errors;
        strcpy(text, i == 0 ? "log: {level: info}\nmqtt: \n  " : "");
        for (unsigned k = 0, used = (unsigned)strlen(text); k < DEEP; k++)
            used += (unsigned)sprintf(text + used, "%s", parts[i]);
        assert_null(load(text, &errors));
        assert_string_equal(strchr(errors, ':'),
                            ": syntax: too many lists or mappings inside of each other; give "
                            "sections such as `mqtt:` with keys below them\n");
        assert_int_equal(errors[0], i == 0 ? '3' : '1');
        free(errors);
        char *override = calloc(DEEP, 6);
        sprintf(override, "mqtt.refuse_subscriptions=%s", text);
        assert_null(load_with("", (const char *const[]){override}, 1, &errors));
        assert_non_null(strstr(errors, "is a list of lists of lists"));
        free(errors);
        free(override);
        free(text);
    }
}

static void a_file_without_end_is_refused(void **state) {
    char *errors;
    size_t size;
    FILE *out = open_memstream(&errors, &size);
    assert_null(config_load("/dev/zero", NULL, 0, out));
    fclose(out);
    assert_string_equal(errors, "/dev/zero: file: is longer than 1048576 bytes; give a "
                                "configuration\n");
    free(errors);
}

static void where_a_password_file_is_named_is_kept(void **state) {
    char *errors, wanted[128];
    struct config *config = load("auth:\n  - kind: password_file\n    path: /etc/p\n"
                                 "  - {kind: anonymous}\n",
                                 &errors);
    assert_non_null(config);
    snprintf(wanted, sizeof wanted, "%s:3: auth[0].path", config_file);
    assert_string_equal(config->auth[0].place, wanted);
    assert_null(config->auth[1].place);
    config_free(config);
    free(errors);
    config = load_with("auth: [{kind: password_file, path: /etc/p}]\n",
                       (const char *const[]){"auth[0].path=/etc/q"}, 1, &errors);
    assert_non_null(config);
    assert_string_equal(config->auth[0].place, "--set auth[0].path=/etc/q: auth[0].path");
    config_free(config);
    free(errors);
}

static void a_mistake_stays_on_one_line_whatever_it_quotes(void **state) {
    char *errors;
    assert_null(load("workers: {idle: \"a\\nb\\e[31m\"}\n", &errors));
    assert_string_equal(errors,
                        "1: workers.idle: `a?b?[31m` is not known here; give one of sleep, spin\n");
    free(errors);
}

static void the_reference_names_every_key_with_its_default(void **state) {
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    config_print_reference(out);
    fclose(out);
    assert_non_null(strstr(text, "| `inflight` | number | `20` | 1 to 65535 | "));
    assert_non_null(strstr(text, "| `kind` | word | must be given | `tap`, "));
    for (unsigned s = 0; s < config_sections_count; s++) {
        for (unsigned k = 0; k < config_sections[s].keys_count; k++) {
            char wanted[64];
            snprintf(wanted, sizeof wanted, "| `%s` | ", config_sections[s].keys[k].name);
            assert_non_null(strstr(text, wanted));
        }
    }
    free(text);
}

static void workers_share_the_connections_with_a_margin(void **state) {
    struct config config = {.workers = {.count = 1}, .tcp = {.connections = 1000000}};
    assert_int_equal(config_worker_connections(&config), 1000000);
    config.workers.count = 4;
    assert_int_equal(config_worker_connections(&config), 250000 + 62500 + 64);
    config.workers.count = 3;
    assert_int_equal(config_worker_connections(&config), 333334 + 83333 + 64);
    config.workers.count = 30;
    config.tcp.connections = 16000000;
    assert_true((uint64_t)config_worker_connections(&config) * 128 > 5 * UINT64_C(16000000));
    config.tcp.connections = 16; /* chance might bring all of them to one */
    assert_int_equal(config_worker_connections(&config), 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_file_says_the_defaults),
        cmocka_unit_test(the_example_file_names_every_key),
        cmocka_unit_test(defaults_are_what_the_documentation_says),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(an_empty_file_means_the_defaults),
        cmocka_unit_test(every_mistake_is_named_with_its_line_and_what_would_be_right),
        cmocka_unit_test(all_mistakes_come_in_one_go_in_the_order_of_the_lines),
        cmocka_unit_test(a_missing_file_and_a_directory_are_named),
        cmocka_unit_test(bytes_that_are_not_text_are_refused),
        cmocka_unit_test(what_is_nested_without_end_is_refused_at_once),
        cmocka_unit_test(a_file_without_end_is_refused),
        cmocka_unit_test(where_a_password_file_is_named_is_kept),
        cmocka_unit_test(a_mistake_stays_on_one_line_whatever_it_quotes),
        cmocka_unit_test(the_reference_names_every_key_with_its_default),
        cmocka_unit_test(workers_share_the_connections_with_a_margin),
    };
    return cmocka_run_group_tests(tests, config_file_make, config_file_remove);
}
