/* SPDX-License-Identifier: Apache-2.0 */
/* libmosquitto against a running broker: its address and port come from LINEMQ_ADDRESS and
 * LINEMQ_PORT. Started by test_clients.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_MS = 20000, MESSAGES_MAX = 256 };

struct seen {
    bool connected, disconnected;
    int connack, session_present, suback, granted, published;
    unsigned messages;
    struct {
        char topic[64], payload[64];
        int qos;
        bool retain;
    } message[MESSAGES_MAX];
};

static void on_connect(struct mosquitto *client, void *argument, int code, int flags) {
    struct seen *seen = argument;
    seen->connected = true;
    seen->connack = code;
    seen->session_present = flags & 1;
}

static void on_disconnect(struct mosquitto *client, void *argument, int code) {
    ((struct seen *)argument)->disconnected = true;
}

static void on_subscribe(struct mosquitto *client, void *argument, int identifier, int count,
                         const int *granted) {
    struct seen *seen = argument;
    seen->suback++;
    seen->granted = granted[0];
}

static void on_unsubscribe(struct mosquitto *client, void *argument, int identifier) {
    ((struct seen *)argument)->suback++;
}

static void on_publish(struct mosquitto *client, void *argument, int identifier) {
    ((struct seen *)argument)->published++;
}

static void on_message(struct mosquitto *client, void *argument,
                       const struct mosquitto_message *message) {
    struct seen *seen = argument;
    if (seen->messages == MESSAGES_MAX)
        return;
    snprintf(seen->message[seen->messages].topic, 64, "%s", message->topic);
    snprintf(seen->message[seen->messages].payload, 64, "%.*s", message->payloadlen,
             (const char *)message->payload);
    seen->message[seen->messages].qos = message->qos;
    seen->message[seen->messages].retain = message->retain;
    seen->messages++;
}

static uint64_t milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Runs two clients (or one, with b NULL) until *value is at least `least`. */
static void until(struct mosquitto *a, struct mosquitto *b, const int *value, int least) {
    uint64_t end = milliseconds() + PATIENCE_MS;
    while (*(const volatile int *)value < least) {
        if (milliseconds() > end)
            fail_msg("gave up waiting");
        mosquitto_loop(a, 5, 1);
        if (b != NULL)
            mosquitto_loop(b, 5, 1);
    }
}

static struct mosquitto *client_new(const char *name, bool clean, struct seen *seen) {
    memset(seen, 0, sizeof *seen);
    struct mosquitto *client = mosquitto_new(name, clean, seen);
    assert_non_null(client);
    mosquitto_connect_with_flags_callback_set(client, on_connect);
    mosquitto_disconnect_callback_set(client, on_disconnect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_unsubscribe_callback_set(client, on_unsubscribe);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_message_callback_set(client, on_message);
    return client;
}

static void client_connect(struct mosquitto *client, struct seen *seen) {
    const char *port = getenv("LINEMQ_PORT");
    if (port == NULL)
        fail_msg("LINEMQ_ADDRESS and LINEMQ_PORT say where the broker is");
    seen->connected = false;
    assert_int_equal(
        mosquitto_connect(client, getenv("LINEMQ_ADDRESS"), (int)strtol(port, NULL, 10), 60),
        MOSQ_ERR_SUCCESS);
    uint64_t end = milliseconds() + PATIENCE_MS;
    while (!seen->connected && milliseconds() < end)
        mosquitto_loop(client, 5, 1);
    assert_true(seen->connected);
    assert_int_equal(seen->connack, 0);
}

static void client_end(struct mosquitto *client) {
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
}

static void messages_of_each_qos_arrive_with_it(void **state) {
    struct seen publisher, subscriber;
    struct mosquitto *a = client_new("lm-a", true, &publisher);
    struct mosquitto *b = client_new("lm-b", true, &subscriber);
    client_connect(a, &publisher);
    client_connect(b, &subscriber);
    mosquitto_subscribe(b, NULL, "lm/qos/#", 2);
    until(b, NULL, &subscriber.suback, 1);
    assert_int_equal(subscriber.granted, 2);
    for (int qos = 0; qos <= 2; qos++) {
        char topic[24];
        snprintf(topic, sizeof topic, "lm/qos/%d", qos);
        mosquitto_publish(a, NULL, topic, 5, "hello", qos, false);
    }
    until(a, b, (int *)&subscriber.messages, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(subscriber.message[i].payload, "hello");
        assert_int_equal(subscriber.message[i].topic[7] - '0', subscriber.message[i].qos);
    }
    client_end(a);
    client_end(b);
}

static void a_retained_message_comes_with_the_subscription(void **state) {
    struct seen seen;
    struct mosquitto *client = client_new("lm-retain", true, &seen);
    client_connect(client, &seen);
    mosquitto_publish(client, NULL, "lm/retained", 4, "kept", 1, true);
    until(client, NULL, &seen.published, 1);
    mosquitto_subscribe(client, NULL, "lm/retained", 1);
    until(client, NULL, (int *)&seen.messages, 1);
    assert_string_equal(seen.message[0].payload, "kept");
    assert_true(seen.message[0].retain);
    mosquitto_publish(client, NULL, "lm/retained", 0, NULL, 1, true);
    until(client, NULL, &seen.published, 2);
    client_end(client);
}

static void a_persistent_session_is_kept_between_connections(void **state) {
    struct seen away, publisher;
    struct mosquitto *a = client_new("lm-away", false, &away);
    struct mosquitto *b = client_new("lm-there", true, &publisher);
    client_connect(a, &away);
    mosquitto_subscribe(a, NULL, "lm/queued", 1);
    until(a, NULL, &away.suback, 1);
    client_end(a);

    client_connect(b, &publisher);
    for (int i = 0; i < 50; i++) {
        char text[12];
        snprintf(text, sizeof text, "%d", i);
        mosquitto_publish(b, NULL, "lm/queued", (int)strlen(text), text, 1, false);
    }
    until(b, NULL, &publisher.published, 50);

    a = client_new("lm-away", false, &away);
    client_connect(a, &away);
    assert_int_equal(away.session_present, 1);
    until(a, NULL, (int *)&away.messages, 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(atoi(away.message[i].payload), i);
    client_end(a);

    a = client_new("lm-away", true, &away); /* ends the session */
    client_connect(a, &away);
    assert_int_equal(away.session_present, 0);
    client_end(a);
    client_end(b);
}

static void after_unsubscribe_nothing_comes(void **state) {
    struct seen seen;
    struct mosquitto *client = client_new("lm-unsubscribe", true, &seen);
    client_connect(client, &seen);
    mosquitto_subscribe(client, NULL, "lm/gone", 1);
    mosquitto_subscribe(client, NULL, "lm/stays", 1);
    until(client, NULL, &seen.suback, 2);
    mosquitto_unsubscribe(client, NULL, "lm/gone");
    until(client, NULL, &seen.suback, 3);
    mosquitto_publish(client, NULL, "lm/gone", 1, "x", 1, false);
    mosquitto_publish(client, NULL, "lm/stays", 1, "x", 1, false);
    until(client, NULL, (int *)&seen.messages, 1);
    assert_string_equal(seen.message[0].topic, "lm/stays");
    client_end(client);
}

int main(void) {
    mosquitto_lib_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_each_qos_arrive_with_it),
        cmocka_unit_test(a_retained_message_comes_with_the_subscription),
        cmocka_unit_test(a_persistent_session_is_kept_between_connections),
        cmocka_unit_test(after_unsubscribe_nothing_comes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mosquitto_lib_cleanup();
    return failed;
}
