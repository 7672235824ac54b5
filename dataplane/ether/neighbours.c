/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables of fixed size. Stations: chained buckets, and a clock hand that takes the first
 * station it finds unused since its last visit (second chance, an approximation of the least
 * recently used that costs a byte instead of a list). Addresses: sets of four, the oldest place of
 * a full set is taken: losing one only means that a later announcement corrects nothing.
 */
#include "dataplane/ether/neighbours.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_BITS = 14, /* of a name that are the index; the rest is a generation */
    BUCKETS = NEIGHBOURS_MAX,
    VISITS_MAX = 32, /* of the clock hand for one place */
    SETS = 1024,
    WAYS = 4,
};
_Static_assert(NEIGHBOURS_MAX == 1 << NAME_BITS, "an index fills its bits of a name");

struct address {
    uint8_t ip[16];
    uint32_t name; /* 0: free */
    uint8_t interface;
};

struct neighbours {
    struct counters *counters;
    uint64_t key[2];
    uint32_t filled, hand;
    uint16_t buckets[BUCKETS]; /* index + 1, or 0 */
    struct station stations[NEIGHBOURS_MAX];
    struct address addresses[SETS][WAYS];
    uint8_t oldest[SETS];
};

struct neighbours *neighbours_create(const uint8_t key[16], struct counters *counters) {
    struct neighbours *neighbours = calloc(1, sizeof *neighbours);
    if (neighbours == NULL)
        return NULL;
    neighbours->counters = counters;
    memcpy(neighbours->key, key, sizeof neighbours->key);
    return neighbours;
}

void neighbours_destroy(struct neighbours *neighbours) {
    free(neighbours);
}

/* Peers choose addresses but do not know the key, and see nothing of the order in the table. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ (x >> 32);
}

static uint16_t *bucket(struct neighbours *neighbours, unsigned interface, const uint8_t mac[6]) {
    uint64_t word = (uint64_t)interface << 48;
    memcpy(&word, mac, 6);
    return &neighbours->buckets[mix(mix(word ^ neighbours->key[0]) ^ neighbours->key[1]) % BUCKETS];
}

static struct station *station_find(struct neighbours *neighbours, unsigned interface,
                                    const uint8_t mac[6]) {
    for (unsigned at = *bucket(neighbours, interface, mac); at != 0;) {
        struct station *station = &neighbours->stations[at - 1];
        if (station->interface == interface && memcmp(station->mac, mac, 6) == 0)
            return station;
        at = station->next;
    }
    return NULL;
}

static void station_unlink(struct neighbours *neighbours, const struct station *station) {
    uint16_t self = (uint16_t)(station - neighbours->stations + 1);
    uint16_t *link = bucket(neighbours, station->interface, station->mac);
    while (*link != self)
        link = &neighbours->stations[*link - 1].next;
    *link = station->next;
}

static void station_link(struct neighbours *neighbours, struct station *station, unsigned interface,
                         const uint8_t mac[6]) {
    memcpy(station->mac, mac, 6);
    station->interface = (uint8_t)interface;
    uint16_t *link = bucket(neighbours, interface, mac);
    station->next = *link;
    *link = (uint16_t)(station - neighbours->stations + 1);
}

static struct station *station_place(struct neighbours *neighbours) {
    if (neighbours->filled < NEIGHBOURS_MAX)
        return &neighbours->stations[neighbours->filled++];
    struct station *station = NULL;
    for (unsigned visits = 0; visits < VISITS_MAX; visits++) {
        station = &neighbours->stations[neighbours->hand];
        neighbours->hand = (neighbours->hand + 1) % NEIGHBOURS_MAX;
        if (!station->used)
            break;
        station->used = 0;
    }
    count(neighbours->counters, COUNTER_ETHER_HOP_EVICTED);
    station_unlink(neighbours, station);
    return station;
}

/* Of another station in the same place. */
static uint32_t next_name(const struct neighbours *neighbours, const struct station *station) {
    uint32_t index = (uint32_t)(station - neighbours->stations);
    uint32_t generation = (station->name >> NAME_BITS) + 1;
    if (generation >> (32 - NAME_BITS) != 0)
        generation = 1;
    return generation << NAME_BITS | index;
}

uint32_t neighbours_learn(struct neighbours *neighbours, unsigned interface, const uint8_t mac[6],
                          bool *added) {
    struct station *station = station_find(neighbours, interface, mac);
    *added = station == NULL;
    if (station == NULL) {
        station = station_place(neighbours);
        station->name = next_name(neighbours, station);
        station_link(neighbours, station, interface, mac);
    }
    station->used = 1;
    return station->name;
}

const struct station *neighbours_station(struct neighbours *neighbours, uint32_t name) {
    struct station *station = &neighbours->stations[name % NEIGHBOURS_MAX];
    if (station->name != name || name == 0)
        return NULL;
    station->used = 1;
    return station;
}

/* The place keeps its name, so that the next one differs, and is the first to be taken. */
void neighbours_forget(struct neighbours *neighbours, uint32_t name) {
    static const uint8_t nobody[6];
    struct station *station = &neighbours->stations[name % NEIGHBOURS_MAX];
    if (station->name != name || name == 0)
        return;
    station_unlink(neighbours, station);
    station_link(neighbours, station, station->interface, nobody);
    station->name = next_name(neighbours, station);
    station->used = 0;
}

static unsigned address_set(const struct neighbours *neighbours, unsigned interface,
                            const uint8_t ip[16]) {
    uint64_t words[2];
    memcpy(words, ip, 16);
    return (unsigned)(mix(mix(words[0] ^ neighbours->key[1]) ^ words[1] ^ neighbours->key[0] ^
                          interface) %
                      SETS);
}

static struct address *address_find(struct neighbours *neighbours, unsigned interface,
                                    const uint8_t ip[16]) {
    struct address *set = neighbours->addresses[address_set(neighbours, interface, ip)];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].name != 0 && set[i].interface == interface && memcmp(set[i].ip, ip, 16) == 0)
            return &set[i];
    return NULL;
}

void neighbours_remember(struct neighbours *neighbours, unsigned interface, const uint8_t ip[16],
                         uint32_t name) {
    struct address *address = address_find(neighbours, interface, ip);
    if (address == NULL) {
        unsigned set = address_set(neighbours, interface, ip);
        address = &neighbours->addresses[set][neighbours->oldest[set]];
        neighbours->oldest[set] = (uint8_t)((neighbours->oldest[set] + 1) % WAYS);
    }
    memcpy(address->ip, ip, 16);
    address->interface = (uint8_t)interface;
    address->name = name;
}

void neighbours_announced(struct neighbours *neighbours, unsigned interface, const uint8_t ip[16],
                          const uint8_t mac[6], bool is_news) {
    struct address *address = address_find(neighbours, interface, ip);
    struct station *station = NULL;
    if (address != NULL) {
        station = &neighbours->stations[address->name % NEIGHBOURS_MAX];
        if (station->name != address->name)
            station = NULL;
    }
    if (station != NULL) {
        if (memcmp(station->mac, mac, 6) == 0)
            return;
        station_unlink(neighbours, station);
        station_link(neighbours, station, interface, mac);
        count(neighbours->counters, COUNTER_ETHER_HOP_MOVED);
        return;
    }
    station = is_news ? station_find(neighbours, interface, mac) : NULL;
    if (station != NULL)
        neighbours_remember(neighbours, interface, ip, station->name);
}
