/* SPDX-License-Identifier: Apache-2.0 */
/* The list; see counters.h. Names are layer.what; sentences begin with what happened. */
#ifndef LINEMQ_BASE_COUNTERS_LIST_H
#define LINEMQ_BASE_COUNTERS_LIST_H

/* clang-format off */
#define LINEMQ_COUNTERS_ETHER(X) \
    X(ETHER_RX_PACKETS, "ether.rx_packets", COUNT, "Frames taken from the port.") \
    X(ETHER_TX_PACKETS, "ether.tx_packets", COUNT, "Frames given to the port.") \
    X(ETHER_SEGMENTED, "ether.segmented", DROP, "Frames that came in several buffers and did not fit into one.") \
    X(ETHER_TRUNCATED, "ether.truncated", DROP, "Frames too short for their Ethernet header or VLAN tag.") \
    X(ETHER_SOURCE_MAC, "ether.source_mac", DROP, "Frames whose source is a group address or no address.") \
    X(ETHER_OWN_FRAME, "ether.own_frame", DROP, "Frames with our own MAC address as their source: a loop, or another station has it too.") \
    X(ETHER_OTHER_STATION, "ether.other_station", DROP, "Frames for the MAC address of another station.") \
    X(ETHER_VLAN, "ether.vlan", DROP, "Frames of another VLAN than the port is configured for.") \
    X(ETHER_TYPE, "ether.type", DROP, "Frames that are neither ARP nor IPv4 nor IPv6.") \
    X(ETHER_ADDRESS_CONFLICT, "ether.address_conflict", DROP, "ARP packets and neighbour advertisements in which another station claims one of our addresses.") \
    X(ETHER_NEWS_LOST, "ether.news_lost", DROP, "Neighbour announcements that other workers were not told of: too many, or no buffer.") \
    X(ETHER_HOP_MOVED, "ether.hop_moved", COUNT, "Neighbours that announced another MAC address; their connections follow.") \
    X(ETHER_HOP_EVICTED, "ether.hop_evicted", COUNT, "Neighbours forgotten because the table was full.") \
    X(ETHER_HOP_GONE, "ether.hop_gone", DROP, "Segments for a neighbour that was forgotten; the next frame from it brings it back.") \
    X(ETHER_ROUTED, "ether.routed", COUNT, "Segments sent through a router or gateway because the neighbour they came from was forgotten.") \
    X(ETHER_NO_BUFFER, "ether.no_buffer", DROP, "Frames not sent because no packet buffer was free.") \
    X(ETHER_TOO_LONG, "ether.too_long", DROP, "Segments not sent because they exceed the MTU of the port.") \
    X(ETHER_TX_FULL, "ether.tx_full", DROP, "Frames that cannot wait (ARP, ICMP, SYN-ACK, RST), not sent because the backlog of the port was full.") \
    X(ETHER_TX_STUCK, "ether.tx_stuck", DROP, "Frames given up because the port did not take them for 500 ms or more: no peer, no link, or a slow one.") \
    X(ETHER_TX_WAITS, "ether.tx_waits", COUNT, "Turns in which connections kept their segments back because the backlog of a port was full.") \
    X(ARP_MALFORMED, "arp.malformed", DROP, "ARP packets that are truncated, not about IPv4 over Ethernet, or from no valid station.") \
    X(ARP_OTHERS, "arp.others", DROP, "ARP packets that ask for somebody else.") \
    X(ARP_REPLIES, "arp.replies", COUNT, "ARP requests for our address, answered.") \
    X(IPV4_MALFORMED, "ipv4.malformed", DROP, "IPv4 packets whose version or lengths are wrong or that are truncated.") \
    X(IPV4_CHECKSUM, "ipv4.checksum", DROP, "IPv4 packets with a bad header checksum.") \
    X(IPV4_SOURCE, "ipv4.source", DROP, "IPv4 packets from an address that nobody can have: group, broadcast, loopback, ours.") \
    X(IPV4_DESTINATION, "ipv4.destination", DROP, "IPv4 packets for another address, broadcasts and groups included.") \
    X(IPV4_LINK_BROADCAST, "ipv4.link_broadcast", DROP, "IPv4 packets for our address in a broadcast or multicast frame.") \
    X(IPV4_FRAGMENT, "ipv4.fragment", DROP, "IPv4 fragments: they are not reassembled.") \
    X(IPV4_PROTOCOL, "ipv4.protocol", DROP, "IPv4 packets that are neither TCP nor ICMP.") \
    X(IPV6_MALFORMED, "ipv6.malformed", DROP, "IPv6 packets whose version or lengths are wrong or that are truncated.") \
    X(IPV6_SOURCE, "ipv6.source", DROP, "IPv6 packets from an address that nobody can have: group, unspecified, loopback, mapped, ours.") \
    X(IPV6_DESTINATION, "ipv6.destination", DROP, "IPv6 packets for another address or group.") \
    X(IPV6_LINK_MULTICAST, "ipv6.link_multicast", DROP, "IPv6 TCP segments for our address in a broadcast or multicast frame.") \
    X(IPV6_FRAGMENT, "ipv6.fragment", DROP, "IPv6 fragments: they are not reassembled.") \
    X(IPV6_EXTENSION, "ipv6.extension", DROP, "IPv6 packets with extension headers that are too long, too many, misplaced or not supported.") \
    X(IPV6_OPTION, "ipv6.option", DROP, "IPv6 packets with an option that must be understood and is not.") \
    X(IPV6_PROTOCOL, "ipv6.protocol", DROP, "IPv6 packets that are neither TCP nor ICMPv6.") \
    X(ICMP_MALFORMED, "icmp.malformed", DROP, "ICMP and ICMPv6 messages that are truncated or have a bad checksum.") \
    X(ICMP_IGNORED, "icmp.ignored", DROP, "ICMP and ICMPv6 messages of a type that is of no use here.") \
    X(ICMP_LIMITED, "icmp.limited", DROP, "Echo requests and neighbour solicitations not answered because a burst held too many.") \
    X(ICMP_ECHOES, "icmp.echoes", COUNT, "Echo requests answered.") \
    X(ICMP_ERRORS, "icmp.errors", COUNT, "ICMP and ICMPv6 errors that quote a segment of ours, for TCP to judge.") \
    X(ICMP_QUOTE, "icmp.quote", DROP, "ICMP and ICMPv6 errors that quote no segment of ours, or too little of one.") \
    X(ND_MALFORMED, "nd.malformed", DROP, "Neighbour discovery messages that break a rule of RFC 4861, sections 6.1 and 7.1.") \
    X(ND_OTHERS, "nd.others", DROP, "Neighbour solicitations for somebody else.") \
    X(ND_ROUTERS, "nd.routers", COUNT, "Router advertisements taken.") \
    X(ND_ROUTER_IGNORED, "nd.router_ignored", DROP, "Router advertisements not taken because of ports.router_advertisements.") \
    X(ND_REPLIES, "nd.replies", COUNT, "Neighbour solicitations for our addresses, answered.") \
    X(ETHER_TCP_MALFORMED, "ether.tcp_malformed", DROP, "TCP segments shorter than their header.") \
    X(ETHER_TCP_CHECKSUM, "ether.tcp_checksum", DROP, "TCP segments with a bad checksum; many of them from one neighbour: switch off its transmit offload.")

#define LINEMQ_COUNTERS_TCP(X) \
    X(TCP_SEGMENTS_IN, "tcp.segments_in", COUNT, "Segments that reached TCP with a good checksum.") \
    X(TCP_SEGMENTS_OUT, "tcp.segments_out", COUNT, "Segments sent, retransmissions included.") \
    X(TCP_BYTES_IN, "tcp.bytes_in", COUNT, "Payload bytes received in order.") \
    X(TCP_BYTES_OUT, "tcp.bytes_out", COUNT, "Payload bytes sent, retransmissions included.") \
    X(TCP_SYNS, "tcp.syns", COUNT, "SYN segments answered with a cookie.") \
    X(TCP_ACCEPTED, "tcp.accepted", COUNT, "Connections that came into being with their first data.") \
    X(TCP_CLOSED, "tcp.closed", COUNT, "Connections that ended, however they did.") \
    X(TCP_CLOSED_EMPTY, "tcp.closed_empty", COUNT, "Handshakes that the peer ended with FIN before any data.") \
    X(TCP_RESETS_IN, "tcp.resets_in", COUNT, "Connections reset by the peer.") \
    X(TCP_RESETS_OUT, "tcp.resets_out", COUNT, "RST segments sent.") \
    X(TCP_RETRANSMISSIONS, "tcp.retransmissions", COUNT, "Segments sent again.") \
    X(TCP_RETRANSMISSION_TIMEOUTS, "tcp.retransmission_timeouts", COUNT, "Retransmission timers that ran out.") \
    X(TCP_FAST_RETRANSMITS, "tcp.fast_retransmits", COUNT, "Times ACKs showed a loss and fast recovery began.") \
    X(TCP_RACK_LOST, "tcp.rack_lost", COUNT, "Segments that RACK found lost because later ones had arrived (RFC 8985).") \
    X(TCP_TAIL_PROBES, "tcp.tail_probes", COUNT, "Tail loss probes sent (RFC 8985).") \
    X(TCP_TAIL_PROBES_REPAIRED, "tcp.tail_probes_repaired", COUNT, "Tail loss probes that took the place of a lost segment.") \
    X(TCP_SPURIOUS_TIMEOUTS, "tcp.spurious_timeouts", COUNT, "Retransmission timeouts taken back because the data had arrived, only late.") \
    X(TCP_SPURIOUS_RECOVERIES, "tcp.spurious_recoveries", COUNT, "Fast recoveries taken back because nothing had been lost.") \
    X(TCP_DSACKS_IN, "tcp.dsacks_in", COUNT, "ACKs that told of data arrived twice (RFC 2883).") \
    X(TCP_DSACKS_OUT, "tcp.dsacks_out", COUNT, "ACKs sent that tell of data arrived twice (RFC 2883).") \
    X(TCP_DUPLICATE_ACKS, "tcp.duplicate_acks", COUNT, "Duplicate ACKs received.") \
    X(TCP_OUT_OF_ORDER, "tcp.out_of_order", COUNT, "Segments that arrived ahead of a hole.") \
    X(TCP_CHALLENGE_ACKS, "tcp.challenge_acks", COUNT, "Challenge ACKs (RFC 5961) owed to doubtful segments.") \
    X(TCP_ZERO_WINDOWS, "tcp.zero_windows", COUNT, "Times a peer closed its receive window.") \
    X(TCP_WINDOW_PROBES, "tcp.window_probes", COUNT, "Zero-window probes sent.") \
    X(TCP_KEEPALIVE_PROBES, "tcp.keepalive_probes", COUNT, "Keep-alive probes sent.") \
    X(TCP_TIMED_OUT, "tcp.timed_out", COUNT, "Connections given up because the peer did not answer.") \
    X(TCP_TIME_WAITS, "tcp.time_waits", COUNT, "Connections that went to TIME-WAIT.") \
    X(TCP_TIME_WAIT_REUSED, "tcp.time_wait_reused", COUNT, "TIME-WAIT records that gave way to a newer SYN (RFC 6191).") \
    X(TCP_TIME_WAIT_EVICTED, "tcp.time_wait_evicted", COUNT, "TIME-WAIT records dropped early because there were too many.") \
    X(TCP_FRAME_SHORTAGES, "tcp.frame_shortages", COUNT, "Times output stopped because the link had no frame; it goes on later.") \
    X(TCP_MEMORY_SHORTAGES, "tcp.memory_shortages", COUNT, "Times output waited because there was no memory for its state; it goes on later.") \
    X(TCP_PMTU_LOWERED, "tcp.pmtu_lowered", COUNT, "Times a router's word made a connection's segments smaller (RFC 1191, RFC 8201).") \
    X(TCP_PMTU_BLACK_HOLES, "tcp.pmtu_black_holes", COUNT, "Times a connection's segments were made smaller because full-sized ones got no answer.") \
    X(TCP_ICMP_SOFT, "tcp.icmp_soft", COUNT, "ICMP errors about data in flight that say nothing about its size: retransmission decides.") \
    X(TCP_DROP_ICMP, "tcp.drop_icmp", DROP, "ICMP errors that quote no connection, or a sequence number that is not in flight: late or forged (RFC 5927).") \
    X(TCP_DROP_PMTU, "tcp.drop_pmtu", DROP, "Packet-too-big messages whose MTU is no smaller than what was sent, or less than IPv6 allows.") \
    X(TCP_PRESSURES, "tcp.pressures", COUNT, "Times memory or packet buffers became so short that new connections were refused.") \
    X(TCP_PRESSURE_HOLDS, "tcp.pressure_holds", COUNT, "Times they became so short that receive windows stopped.") \
    X(TCP_DROP_PRESSURE, "tcp.drop_pressure", DROP, "Connections refused because memory or packet buffers were short, answered with RST.") \
    X(TCP_DROP_SHED, "tcp.drop_shed", DROP, "Out-of-order data given up because memory was short; the peer sends it again.") \
    X(TCP_DROP_MALFORMED, "tcp.drop_malformed", DROP, "Segments whose header does not fit its length.") \
    X(TCP_DROP_PORT, "tcp.drop_port", DROP, "Segments to a port nobody listens on, answered with RST.") \
    X(TCP_DROP_FLAGS, "tcp.drop_flags", DROP, "Segments without a connection whose flags make no sense.") \
    X(TCP_DROP_STRAY_RST, "tcp.drop_stray_rst", DROP, "RST segments that belong to no connection.") \
    X(TCP_DROP_STOPPED, "tcp.drop_stopped", DROP, "Connection attempts while the broker stops, answered with RST.") \
    X(TCP_DROP_BARE_ACK, "tcp.handshake_acks", COUNT, "Handshake ACKs without data: the connection begins with its data.") \
    X(TCP_DROP_NO_CONNECTION, "tcp.drop_no_connection", DROP, "Segments of no connection and without a valid cookie, answered with RST.") \
    X(TCP_DROP_FIRST_LOST, "tcp.drop_first_lost", DROP, "Data of a handshake whose first data segment has not arrived.") \
    X(TCP_DROP_CONNECTIONS_MAX, "tcp.drop_connections_max", DROP, "Connections refused because there were as many as allowed, answered with RST.") \
    X(TCP_DROP_CONNECTION_MEMORY, "tcp.drop_connection_memory", DROP, "First data segments dropped because there was no memory for a connection.") \
    X(TCP_DROP_PREFIX_SYNS, "tcp.drop_prefix_syns", DROP, "SYN segments from a prefix that sends too many (tcp.prefix_syns).") \
    X(TCP_DROP_SYNS, "tcp.drop_syns", DROP, "SYN segments while a worker gets too many (tcp.syns).") \
    X(TCP_DROP_PREFIX_CONNECTS, "tcp.drop_prefix_connects", DROP, "First data segments from a prefix that opens too many connections (tcp.prefix_connects); they come again.") \
    X(TCP_DROP_CONNECTS, "tcp.drop_connects", DROP, "First data segments while a worker gets too many connections (tcp.connects); they come again.") \
    X(TCP_DROP_RESETS, "tcp.drop_resets", DROP, "RST segments not sent because their prefix had enough of them (tcp.prefix_resets).") \
    X(TCP_DROP_REFUSED, "tcp.drop_refused", DROP, "Connections refused by the application, answered with RST.") \
    X(TCP_DROP_REPLY, "tcp.drop_reply", DROP, "Answers outside a connection not sent because the link had no frame.") \
    X(TCP_DROP_SYN, "tcp.drop_syn", DROP, "SYN segments inside a connection.") \
    X(TCP_DROP_PAWS, "tcp.drop_paws", DROP, "Segments with a time stamp from the past (RFC 7323).") \
    X(TCP_DROP_NO_TIMESTAMP, "tcp.drop_no_timestamp", DROP, "Segments without the negotiated time stamp.") \
    X(TCP_DROP_OUT_OF_WINDOW, "tcp.drop_out_of_window", DROP, "Segments outside the receive window, old duplicates included.") \
    X(TCP_DROP_RST, "tcp.drop_rst", DROP, "RST segments not exactly at the next expected byte (RFC 5961).") \
    X(TCP_DROP_NO_ACK, "tcp.drop_no_ack", DROP, "Segments inside a connection without an ACK.") \
    X(TCP_DROP_BAD_ACK, "tcp.drop_bad_ack", DROP, "ACKs of what was never sent, or of long ago (RFC 5961).") \
    X(TCP_DROP_AFTER_ABORT, "tcp.drop_after_abort", DROP, "Segments of a connection that is about to be reset.") \
    X(TCP_DROP_AFTER_CLOSE, "tcp.drop_after_close", DROP, "Segments with data that was acknowledged and discarded because the application had closed.") \
    X(TCP_DROP_AFTER_FIN, "tcp.drop_after_fin", DROP, "Segments with data behind the peer's FIN.") \
    X(TCP_DROP_ZERO_WINDOW, "tcp.drop_zero_window", DROP, "Segments with data sent into our closed window.") \
    X(TCP_DROP_OUT_OF_ORDER, "tcp.drop_out_of_order", DROP, "Out-of-order segments beyond what one connection may buffer.") \
    X(TCP_DROP_MEMORY, "tcp.drop_memory", DROP, "Segments with data that there was no memory to keep; the peer sends them again.") \
    X(TCP_DROP_SACK, "tcp.drop_sack", DROP, "SACK options of which a part was ignored for want of memory; duplicate ACKs count instead.") \
    X(TCP_DROP_CHALLENGE, "tcp.drop_challenge", DROP, "Challenge ACKs not sent because the connection had enough of them.") \
    X(TCP_DROP_TIME_WAIT, "tcp.drop_time_wait", DROP, "Segments that a TIME-WAIT record absorbed.") \
    X(TCP_DROP_ENDED, "tcp.drop_ended", DROP, "Segments of a connection that ended a short while ago.")

#define LINEMQ_COUNTERS_MQTT(X) \
    X(MQTT_PACKETS_IN, "mqtt.packets_in", COUNT, "Control packets received whole.") \
    X(MQTT_PACKETS_OUT, "mqtt.packets_out", COUNT, "Control packets queued to clients.") \
    X(MQTT_BYTES_IN, "mqtt.bytes_in", COUNT, "Bytes taken from clients.") \
    X(MQTT_BYTES_OUT, "mqtt.bytes_out", COUNT, "Bytes queued to clients.") \
    X(MQTT_PUBLISH_IN, "mqtt.publish_in", COUNT, "PUBLISH packets received, repeated ones included.") \
    X(MQTT_PUBLISH_OUT, "mqtt.publish_out", COUNT, "PUBLISH packets queued to clients.") \
    X(MQTT_PUBLISH_BYTES_IN, "mqtt.publish_bytes_in", COUNT, "Payload bytes of PUBLISH packets received.") \
    X(MQTT_PUBLISH_BYTES_OUT, "mqtt.publish_bytes_out", COUNT, "Payload bytes of PUBLISH packets queued to clients.") \
    X(MQTT_OPENED, "mqtt.opened", COUNT, "Connections that sent their first byte.") \
    X(MQTT_ACCEPTED, "mqtt.accepted", COUNT, "CONNECT packets answered with return code 0.") \
    X(MQTT_REFUSED, "mqtt.refused", DROP, "CONNECT packets refused by a control shard.") \
    X(MQTT_CLOSED_CLIENT, "mqtt.closed_client", COUNT, "Clients that left with DISCONNECT.") \
    X(MQTT_CLOSED_PEER, "mqtt.closed_peer", COUNT, "Clients whose connection ended without DISCONNECT.") \
    X(MQTT_CLOSED_TAKEOVER, "mqtt.closed_takeover", COUNT, "Connections closed because the client identifier connected again.") \
    X(MQTT_CLOSED_ADMIN, "mqtt.closed_admin", COUNT, "Connections closed by an administrator.") \
    X(MQTT_WILLS, "mqtt.wills", COUNT, "Will messages published.") \
    X(MQTT_WAITED, "mqtt.waited", COUNT, "Times a connection was held because memory or a mailbox was short.") \
    X(MQTT_HELD, "mqtt.held", COUNT, "Times a connection was held because it did not read its acknowledgements.") \
    X(MQTT_REPEATED_QOS2, "mqtt.repeated_qos2", COUNT, "QoS 2 PUBLISH packets that were acknowledged again and not published again.") \
    X(MQTT_UNKNOWN_ACK, "mqtt.unknown_ack", DROP, "Acknowledgements ignored: no message with their packet identifier is in flight.") \
    X(MQTT_STALE_MAIL, "mqtt.stale_mail", COUNT, "Mails about connections that were gone.") \
    X(MQTT_BAD_TYPE, "mqtt.bad_type", DROP, "Connections closed: packet type reserved or sent by servers only (MQTT-2.2.1).") \
    X(MQTT_BAD_FLAGS, "mqtt.bad_flags", DROP, "Connections closed: reserved flags of a fixed header (MQTT-2.2.2-2).") \
    X(MQTT_BAD_LENGTH, "mqtt.bad_length", DROP, "Connections closed: remaining length of more than four bytes (MQTT-2.2.3).") \
    X(MQTT_TRUNCATED, "mqtt.truncated", DROP, "Connections closed: a field reached past the end of its packet.") \
    X(MQTT_TRAILING, "mqtt.trailing", DROP, "Connections closed: bytes were left at the end of a packet.") \
    X(MQTT_BAD_UTF8, "mqtt.bad_utf8", DROP, "Connections closed: a string was not UTF-8 (MQTT-1.5.3-1, -2).") \
    X(MQTT_BAD_TOPIC, "mqtt.bad_topic", DROP, "Connections closed: topic name empty, with wildcards or not UTF-8 (MQTT-3.3.2-1, -2).") \
    X(MQTT_BAD_FILTER, "mqtt.bad_filter", DROP, "Connections closed: topic filter malformed (MQTT-4.7.1-2, -3, 4.7.3-1).") \
    X(MQTT_BAD_QOS, "mqtt.bad_qos", DROP, "Connections closed: QoS 3, or DUP with QoS 0 (MQTT-3.3.1-2, -4, 3.8.3-4).") \
    X(MQTT_BAD_PACKET_ID, "mqtt.bad_packet_id", DROP, "Connections closed: packet identifier 0 (MQTT-2.3.1-1).") \
    X(MQTT_BAD_PROTOCOL_NAME, "mqtt.bad_protocol_name", DROP, "Connections closed: CONNECT of another protocol (MQTT-3.1.2-1).") \
    X(MQTT_BAD_PROTOCOL_LEVEL, "mqtt.bad_protocol_level", DROP, "Connections refused: unknown protocol level (MQTT-3.1.2-2).") \
    X(MQTT_BAD_CONNECT_FLAGS, "mqtt.bad_connect_flags", DROP, "Connections closed: CONNECT flags that contradict each other (MQTT-3.1.2-3, -11 to -22).") \
    X(MQTT_BAD_CLIENT_ID, "mqtt.bad_client_id", DROP, "Connections refused: empty client identifier without CleanSession (MQTT-3.1.3-8).") \
    X(MQTT_NOT_CONNECT, "mqtt.not_connect", DROP, "Connections closed: the first packet was not CONNECT (MQTT-3.1.0-1).") \
    X(MQTT_SECOND_CONNECT, "mqtt.second_connect", DROP, "Connections closed: a second CONNECT (MQTT-3.1.0-2).") \
    X(MQTT_NO_FILTERS, "mqtt.no_filters", DROP, "Connections closed: SUBSCRIBE or UNSUBSCRIBE without a filter (MQTT-3.8.3-3, 3.10.3-2).") \
    X(MQTT_WRONG_ACK, "mqtt.wrong_ack", DROP, "Connections closed: an acknowledgement of the wrong type for a message in flight (MQTT-4.8.0-1).") \
    X(MQTT_LIMIT_PACKET_SIZE, "mqtt.limit_packet_size", DROP, "Connections closed: packet longer than packet_size.") \
    X(MQTT_LIMIT_TOPIC_LENGTH, "mqtt.limit_topic_length", DROP, "Connections closed: topic name longer than topic_length.") \
    X(MQTT_LIMIT_TOPIC_LEVELS, "mqtt.limit_topic_levels", DROP, "Connections closed: topic name of more than topic_levels levels.") \
    X(MQTT_LIMIT_CLIENT_ID, "mqtt.limit_client_id", DROP, "Connections refused: client identifier longer than client_id_length.") \
    X(MQTT_LIMIT_FILTER, "mqtt.limit_filter", DROP, "Filters refused in SUBACK: longer than topic_length or deeper than topic_levels.") \
    X(MQTT_LIMIT_SUBSCRIPTIONS, "mqtt.limit_subscriptions", DROP, "Filters refused in SUBACK: the client has as many subscriptions as it may have.") \
    X(MQTT_LIMIT_FILTERS, "mqtt.limit_filters", DROP, "Connections closed: more than filters in one SUBSCRIBE or UNSUBSCRIBE.") \
    X(MQTT_LIMIT_QOS2_RECEIVED, "mqtt.limit_qos2_received", DROP, "Connections closed: more than qos2_received QoS 2 messages without PUBREL.") \
    X(MQTT_LIMIT_PARTIAL, "mqtt.limit_partial", DROP, "Connections closed: half packets held all of partial_memory_mib, or more than short memory has for them, and theirs had waited longest.") \
    X(MQTT_LIMIT_SEND_QUEUE, "mqtt.limit_send_queue", DROP, "QoS 0 messages dropped: the send queue of the subscriber was full.") \
    X(MQTT_LIMIT_QUEUED, "mqtt.limit_queued", DROP, "QoS 1 and 2 messages dropped: as many as queued waited for the subscriber.") \
    X(MQTT_LIMIT_QUEUED_BYTES, "mqtt.limit_queued_bytes", DROP, "QoS 1 and 2 messages dropped: queued_bytes waited for the subscriber.") \
    X(MQTT_REFUSED_FILTER, "mqtt.refused_filter", DROP, "Filters refused in SUBACK: listed in refuse_subscriptions.") \
    X(MQTT_SYS_PUBLISH, "mqtt.sys_publish", DROP, "Messages of clients to $SYS, acknowledged and not published.") \
    X(MQTT_CONNECT_TIMEOUT, "mqtt.connect_timeout", DROP, "Connections closed: no whole CONNECT within connect_timeout.") \
    X(MQTT_PACKET_TIMEOUT, "mqtt.packet_timeout", DROP, "Connections closed: a packet begun was not ended within packet_timeout.") \
    X(MQTT_KEEP_ALIVE_TIMEOUT, "mqtt.keep_alive_timeout", DROP, "Connections closed: nothing heard for one and a half keep alive times (MQTT-3.1.2-24).") \
    X(MQTT_NO_MEMORY_DELIVER, "mqtt.no_memory_deliver", DROP, "Messages not delivered to a subscriber: memory was short.") \
    X(MQTT_NO_MEMORY_WILL, "mqtt.no_memory_will", DROP, "Connections refused: memory was short and their will was large.") \
    X(MQTT_NO_MEMORY_CLOSE, "mqtt.no_memory_close", DROP, "Connections closed: memory was short.") \
    X(MQTT_NO_MEMORY_CLOSED, "mqtt.no_memory_closed", DROP, "Ends of connections that could not be told to their control shard: memory was short.") \
    X(MQTT_STOPPING, "mqtt.stopping", DROP, "Connections refused or closed because the broker stops.")

#define LINEMQ_COUNTERS_TOPICS(X) \
    X(TOPICS_MAIL_PUBLISH, "topics.mail_publish", COUNT, "Messages mailed to other threads that may have subscribers.") \
    X(TOPICS_MAIL_STORE, "topics.mail_store", COUNT, "Retained messages mailed to the shard that stores them.") \
    X(TOPICS_MAIL_IN_VAIN, "topics.mail_in_vain", COUNT, "Messages that came by mail and that nobody here subscribes to.") \
    X(TOPICS_MAIL_REFUSED, "topics.mail_refused", DROP, "Messages that a mailbox did not take although it had reported room.") \
    X(TOPICS_NOBODY, "topics.nobody", COUNT, "Messages that nobody on any thread subscribes to.") \
    X(TOPICS_DELIVERIES, "topics.deliveries", COUNT, "Live messages handed to subscribers on this thread.") \
    X(TOPICS_PUT_OFF, "topics.put_off", COUNT, "Publishes put off because memory, a mailbox or the fan-out queue was short; they are offered again.") \
    X(TOPICS_MATCH_CUT, "topics.match_cut", DROP, "Matches ended at the limit of wildcard nodes visited; some subscribers may have been left out.") \
    X(TOPICS_FANOUTS_CONTINUED, "topics.fanouts_continued", COUNT, "Messages with too many subscribers for one turn.") \
    X(TOPICS_FANOUTS_RUSHED, "topics.fanouts_rushed", COUNT, "Times the fan-out queue was full and was worked off in one long turn.") \
    X(TOPICS_OVERLAPS_UNCHECKED, "topics.overlaps_unchecked", COUNT, "Deliveries that may be repeated for overlapping subscriptions because memory was short.") \
    X(TOPICS_SUBSCRIBE_NO_MEMORY, "topics.subscribe_no_memory", DROP, "Filters refused with 0x80 because memory was short.") \
    X(TOPICS_ROUTES_LEFT, "topics.routes_left", COUNT, "Routes that stay set after their last subscription because memory for the mail was short.") \
    X(TOPICS_HELD, "topics.held", COUNT, "Messages held back until a new subscription has its retained messages.") \
    X(TOPICS_HOLD_OVERFLOWS, "topics.hold_overflows", COUNT, "Messages that could not be held for a new subscription because too many were.") \
    X(TOPICS_HELD_MISORDERED, "topics.held_misordered", COUNT, "Messages delivered early that an older retained one of their topic may follow, because too many topics were overtaken.") \
    X(TOPICS_RETAINED, "topics.retained", COUNT, "Retained messages handed to new subscriptions.") \
    X(TOPICS_RETAINED_OVERTAKEN, "topics.retained_overtaken", COUNT, "Retained messages left out because a newer one of their topic had been delivered to the subscription already.") \
    X(TOPICS_RETAINED_STRAY, "topics.retained_stray", COUNT, "Retained messages for subscriptions that were gone when they came.")

#define LINEMQ_COUNTERS_WORKER(X) \
    X(WORKER_HANDED_OVER, "worker.handed_over", COUNT, "Frames that arrived on a worker that does not own their flow and were handed to the owner.") \
    X(WORKER_HANDOVER_FULL, "worker.handover_full", DROP, "Frames for another worker whose ring of handed-over frames was full.") \
    X(WORKER_MAIL_UNKNOWN, "worker.mail_unknown", DROP, "Mails of a kind that a worker does not take.") \
    X(WORKER_CAPTURED, "worker.captured", COUNT, "Frames copied for `ctl capture`.") \
    X(WORKER_CAPTURE_MISSED, "worker.capture_missed", COUNT, "Frames not copied for `ctl capture` because its ring was full; their traffic is not concerned.")

#define LINEMQ_COUNTERS_CONTROL(X) \
    X(CONTROL_CONNECTS, "control.connects", COUNT, "CONNECT requests that reached a control shard.") \
    X(CONTROL_ACCEPTED, "control.accepted", COUNT, "CONNECT requests accepted.") \
    X(CONTROL_REFUSED, "control.refused", COUNT, "CONNECT requests refused, for whatever reason.") \
    X(CONTROL_AUTH_REFUSED, "control.auth_refused", DROP, "CONNECT requests refused by authentication.") \
    X(CONTROL_CONNECT_OVERLOAD, "control.connect_overload", DROP, "CONNECT requests refused because too many were under way, or memory was short.") \
    X(CONTROL_CONNECT_NO_MEMORY, "control.connect_no_memory", DROP, "CONNECT requests refused because there was no memory for the client or its session.") \
    X(CONTROL_TAKEOVERS, "control.takeovers", COUNT, "Connections told to close because their client identifier connected again.") \
    X(CONTROL_TAKEOVER_TIMEOUT, "control.takeover_timeout", COUNT, "Takeovers that did not wait any longer for the old connection's end.") \
    X(CONTROL_SESSIONS_EXPIRED, "control.sessions_expired", COUNT, "Persistent sessions discarded because their client stayed away for session_expiry.") \
    X(CONTROL_STALE_MAIL, "control.stale_mail", COUNT, "Mails about connections that were gone.") \
    X(CONTROL_ACK_UNKNOWN, "control.ack_unknown", DROP, "Acknowledgements of persistent sessions ignored: no message with their packet identifier is in flight.") \
    X(CONTROL_WRONG_ACK, "control.wrong_ack", DROP, "Connections of persistent sessions closed: an acknowledgement of the wrong type for a message in flight (MQTT-4.8.0-1).") \
    X(CONTROL_QOS2_NO_MEMORY, "control.qos2_no_memory", DROP, "Connections closed because the identifier of a QoS 2 message could not be kept.") \
    X(CONTROL_QOS0_OFFLINE, "control.qos0_offline", DROP, "QoS 0 messages dropped: the client of the persistent session was away, or went before they were sent.") \
    X(CONTROL_QOS0_BUSY, "control.qos0_busy", DROP, "QoS 0 messages to persistent sessions dropped: memory was short.") \
    X(CONTROL_QUEUE_FULL, "control.queue_full", DROP, "Messages dropped: as many as queued waited for the persistent session.") \
    X(CONTROL_QUEUE_FULL_BYTES, "control.queue_full_bytes", DROP, "Messages dropped: queued_bytes waited for the persistent session.") \
    X(CONTROL_QUEUE_NO_MEMORY, "control.queue_no_memory", DROP, "Messages dropped: there was no memory to queue them for the persistent session.") \
    X(CONTROL_SUBSCRIPTIONS_LIMIT, "control.subscriptions_limit", DROP, "Filters of persistent sessions refused in SUBACK: the client has as many subscriptions as it may have.") \
    X(CONTROL_SUBSCRIBE_NO_MEMORY, "control.subscribe_no_memory", DROP, "Filters of persistent sessions refused in SUBACK: memory was short.") \
    X(CONTROL_ROUTE_CHANGES, "control.route_changes", COUNT, "Changes of the route table.") \
    X(CONTROL_ROUTE_WAITS, "control.route_waits", COUNT, "Turns in which changes of the route table waited for memory.") \
    X(CONTROL_ROUTE_NO_MEMORY, "control.route_no_memory", DROP, "Changes of the route table lost: there was no memory to keep them waiting.") \
    X(CONTROL_RETAINED_QUERIES, "control.retained_queries", COUNT, "Questions of new subscriptions for retained messages.") \
    X(CONTROL_RETAINED_QUERY_NO_MEMORY, "control.retained_query_no_memory", DROP, "Questions for retained messages not answered: memory was short.") \
    X(CONTROL_RETAINED_FULL, "control.retained_full", DROP, "Retained messages not kept: there were as many as retained_messages.") \
    X(CONTROL_RETAINED_NO_MEMORY, "control.retained_no_memory", DROP, "Retained messages not kept: memory was short.") \
    X(CONTROL_MAIL_HELD, "control.mail_held", COUNT, "Mails that waited on the heap because the mailroom had no memory.") \
    X(CONTROL_MAIL_LOST, "control.mail_lost", DROP, "Mails lost because there was no memory at all.")

#define LINEMQ_COUNTERS(X) \
    LINEMQ_COUNTERS_ETHER(X) LINEMQ_COUNTERS_TCP(X) LINEMQ_COUNTERS_MQTT(X) \
    LINEMQ_COUNTERS_TOPICS(X) LINEMQ_COUNTERS_WORKER(X) LINEMQ_COUNTERS_CONTROL(X)
/* clang-format on */

#endif
