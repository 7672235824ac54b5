/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/host.h"
#include "drivers/kinds.h"

struct peer {
    bool veth;
    uint32_t index;    /* of its interface, there */
    int32_t namespace; /* what our namespace calls the peer's, or -1: our own */
};

struct request {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct rtgenmsg namespace;
    };
    uint8_t attributes[32];
};

/* Sends one request to rtnetlink and reads its one answer. Length of the answer, or -1. */
static ssize_t ask(struct request *request, void *answer, size_t size) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -1;
    ssize_t len = send(fd, request, request->header.nlmsg_len, 0);
    if (len >= 0)
        len = recv(fd, answer, size, 0);
    close(fd);
    const struct nlmsghdr *header = answer;
    if (len < (ssize_t)sizeof *header || header->nlmsg_type == NLMSG_ERROR ||
        header->nlmsg_len > (size_t)len)
        return -1;
    return header->nlmsg_len;
}

static bool is_veth(struct rtattr *info) {
    int left = (int)RTA_PAYLOAD(info);
    for (struct rtattr *each = RTA_DATA(info); RTA_OK(each, left); each = RTA_NEXT(each, left))
        if (each->rta_type == IFLA_INFO_KIND)
            return RTA_PAYLOAD(each) >= 4 && memcmp(RTA_DATA(each), "veth", 4) == 0;
    return false;
}

static int peer_find(const char *interface, struct peer *peer) {
    union {
        struct nlmsghdr header;
        uint8_t bytes[16384];
    } answer;
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST},
        .link = {.ifi_index = (int)if_nametoindex(interface)},
    };
    ssize_t len = ask(&request, &answer, sizeof answer);
    if (len < (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return -1;
    *peer = (struct peer){.namespace = -1};
    int left = (int)(len - (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)));
    struct rtattr *each = (struct rtattr *)((uint8_t *)NLMSG_DATA(&answer.header) +
                                            NLMSG_ALIGN(sizeof(struct ifinfomsg)));
    for (; RTA_OK(each, left); each = RTA_NEXT(each, left))
        if (each->rta_type == IFLA_LINK)
            memcpy(&peer->index, RTA_DATA(each), sizeof peer->index);
        else if (each->rta_type == IFLA_LINK_NETNSID)
            memcpy(&peer->namespace, RTA_DATA(each), sizeof peer->namespace);
        else if ((each->rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO)
            peer->veth = is_veth(each);
    return 0;
}

/* What our namespace calls the namespace behind `fd`, or -1. */
static int32_t namespace_id(int fd) {
    union {
        struct nlmsghdr header;
        uint8_t bytes[1024];
    } answer;
    struct request request = {
        .header = {.nlmsg_type = RTM_GETNSID, .nlmsg_flags = NLM_F_REQUEST},
        .namespace = {.rtgen_family = AF_UNSPEC},
    };
    size_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct rtgenmsg)));
    struct rtattr *attribute = (struct rtattr *)((uint8_t *)&request + head);
    attribute->rta_type = NETNSA_FD;
    attribute->rta_len = RTA_LENGTH(sizeof(int32_t));
    memcpy(RTA_DATA(attribute), &fd, sizeof fd);
    request.header.nlmsg_len = (uint32_t)head + RTA_ALIGN(attribute->rta_len);
    ssize_t len = ask(&request, &answer, sizeof answer);
    int left = (int)(len - (ssize_t)head);
    attribute = (struct rtattr *)(answer.bytes + head);
    for (; len > 0 && RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == NETNSA_NSID) {
            int32_t id;
            memcpy(&id, RTA_DATA(attribute), sizeof id);
            return id;
        }
    return -1;
}

/* Tries `format` with each entry of a folder; an open namespace that is the peer's, or -1. */
static int namespace_search(const char *folder, const char *format, int32_t id) {
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return -1;
    int found = -1;
    for (struct dirent *entry; found < 0 && (entry = readdir(entries)) != NULL;) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s%s", folder, entry->d_name, format);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && namespace_id(fd) == id)
            found = fd;
        else if (fd >= 0)
            close(fd);
    }
    closedir(entries);
    return found;
}

static int offloads_off(uint32_t index) {
    char name[IFNAMSIZ];
    if (if_indextoname(index, name) == NULL)
        return -errno;
    int result = host_offload_set(name, ETHTOOL_STXCSUM, false);
    host_offload_set(name, ETHTOOL_STSO, false);
    host_offload_set(name, ETHTOOL_SGSO, false);
    return result;
}

static int offloads_off_there(int namespace, uint32_t index) {
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        return -errno;
    int result = setns(namespace, CLONE_NEWNET) < 0 ? -errno : offloads_off(index);
    if (setns(home, CLONE_NEWNET) < 0)
        result = -errno;
    close(home);
    return result;
}

int peer_offloads_off(const char *interface, char *error, unsigned error_size) {
    struct peer peer;
    if (peer_find(interface, &peer) < 0 || !peer.veth)
        return 0;
    int result = -ENOENT;
    if (peer.namespace < 0) {
        result = offloads_off(peer.index);
    } else {
        int fd = namespace_search("/run/netns", "", peer.namespace);
        if (fd < 0)
            fd = namespace_search("/proc", "/ns/net", peer.namespace);
        if (fd >= 0) {
            result = offloads_off_there(fd, peer.index);
            close(fd);
        }
    }
    if (result == 0)
        return 0;
    return port_error(error, error_size,
                      "port %s: checksum offload of the other end of this veth pair (interface "
                      "number %u there) cannot be switched off: %s; frames from it would be "
                      "damaged",
                      interface, peer.index, strerror(-result));
}
