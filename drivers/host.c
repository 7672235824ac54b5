/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/kinds.h"

bool host_may(unsigned capability) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    return data[capability / 32].effective >> (capability % 32) & 1;
}

bool host_interface_name_valid(const char *name) {
    size_t len = strlen(name);
    if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (; *name != '\0'; name++)
        if (isspace((unsigned char)*name) || strchr("/:%,", *name) != NULL)
            return false;
    return true;
}

bool host_interface_exists(const char *name) {
    return if_nametoindex(name) != 0;
}

/* An ioctl about an interface; 0 or negative errno. */
static int interface_ioctl(unsigned long command, const char *name, struct ifreq *request) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    snprintf(request->ifr_name, sizeof request->ifr_name, "%s", name);
    int result = ioctl(fd, command, request) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static bool has_flags(const char *name, int flags) {
    struct ifreq request = {0};
    return interface_ioctl(SIOCGIFFLAGS, name, &request) == 0 &&
           (request.ifr_flags & flags) == flags;
}

bool host_interface_up(const char *name) {
    return has_flags(name, IFF_UP);
}

bool host_interface_running(const char *name) {
    return has_flags(name, IFF_UP | IFF_RUNNING);
}

int host_interface_mtu(const char *name) {
    struct ifreq request = {0};
    int result = interface_ioctl(SIOCGIFMTU, name, &request);
    return result < 0 ? result : request.ifr_mtu;
}

int host_ethtool(const char *interface, void *data) {
    struct ifreq request = {.ifr_data = data};
    return interface_ioctl(SIOCETHTOOL, interface, &request);
}

bool host_offload(const char *interface, uint32_t get) {
    struct ethtool_value value = {.cmd = get};
    return host_ethtool(interface, &value) == 0 && value.data != 0;
}

int host_offload_set(const char *interface, uint32_t set, bool on) {
    struct ethtool_value value = {.cmd = set, .data = on};
    return host_ethtool(interface, &value);
}

/* The part of "10.88.0.2/24" before the slash, parsed. */
static bool address_parse(int family, const char *text, void *address) {
    char host[INET6_ADDRSTRLEN];
    size_t len = text == NULL ? 0 : strcspn(text, "/");
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return inet_pton(family, host, address) == 1;
}

bool host_has_address(const struct config_port *config) {
    struct in_addr ours;
    struct in6_addr ours6;
    bool has = address_parse(AF_INET, config->address, &ours);
    bool has6 = address_parse(AF_INET6, config->address6, &ours6);
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (struct ifaddrs *each = all; each != NULL && !found; each = each->ifa_next) {
        if (each->ifa_addr == NULL)
            continue;
        if (each->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in address;
            memcpy(&address, each->ifa_addr, sizeof address);
            found = has && memcmp(&address.sin_addr, &ours, sizeof ours) == 0;
        } else if (each->ifa_addr->sa_family == AF_INET6) {
            struct sockaddr_in6 address;
            memcpy(&address, each->ifa_addr, sizeof address);
            found = has6 && memcmp(&address.sin6_addr, &ours6, sizeof ours6) == 0;
        }
    }
    freeifaddrs(all);
    return found;
}

int host_interface_usable(const struct config_port *config, char *error, unsigned error_size) {
    const char *device = config->device;
    if (!host_interface_name_valid(device) || !host_interface_exists(device))
        return port_error(error, error_size,
                          "port %s: there is no such interface; `ip link` shows which there are",
                          device);
    if (!host_interface_up(device))
        return port_error(error, error_size,
                          "port %s: the interface is down; `ip link set %s up` brings it up",
                          device, device);
    int mtu = host_interface_mtu(device);
    if (mtu < config->mtu)
        return port_error(error, error_size,
                          "port %s: mtu: %u is more than the interface's, which is %d", device,
                          config->mtu, mtu);
    if (host_has_address(config))
        return port_error(error, error_size,
                          "port %s: its address belongs to the kernel of this machine, which would "
                          "answer clients as well; remove it from the interface or use another",
                          device);
    return 0;
}
