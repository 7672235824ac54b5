/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a worker as captures see them. */
#include <rte_mbuf.h>

#include "dataplane/worker/worker_internal.h"

/* `time` is read from the wall clock once for a burst. */
static struct capture_frame frame_of(const struct rte_mbuf *mbuf, unsigned port, uint64_t time) {
    return (struct capture_frame){.bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *),
                                  .len = mbuf->data_len,
                                  .wire_len = mbuf->pkt_len,
                                  .time = time,
                                  .port = (uint8_t)port,
                                  .tagged = mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED,
                                  .tag = mbuf->vlan_tci};
}

void worker_capture_mail(struct worker *worker, const struct mail *mail) {
    struct capture_point *point = mail->capture.point;
    bool begin = mail->capture.begin != 0;
    bool done =
        begin ? capture_begin(&worker->capture, point) : capture_end(&worker->capture, point);
    ether_capture(worker->ether, worker->capture.count > 0 ? &worker->capture : NULL);
    if (!begin && !done)
        return; /* it could not begin, and that has been said */
    struct mail answer = {.type = MAIL_CAPTURE,
                          .capture = {.point = point, .begin = begin && done}};
    mail_send(worker->mailroom, mail->from, &answer);
}

void worker_capture_arrivals(struct worker *worker, unsigned port, struct rte_mbuf **frames,
                             unsigned count, bool handed_over) {
    struct capture *capture = &worker->capture;
    uint64_t time = capture->wall_clock(capture->argument);
    capture_burst(capture);
    for (unsigned i = 0; i < count; i++) {
        struct capture_frame frame = frame_of(frames[i], port, time);
        capture_received(capture, &frame, handed_over);
    }
}

void worker_capture_segments(struct worker *worker, unsigned port,
                             const struct ether_batch *batch) {
    struct capture *capture = &worker->capture;
    uint64_t time = capture->wall_clock(capture->argument);
    for (unsigned i = 0; i < batch->segments_count; i++) {
        struct capture_frame frame = frame_of(batch->frames[i], port, time);
        capture_segment(capture, &frame, i);
    }
}

void worker_capture_connect(void *argument, const struct connect_request *request) {
    struct worker *worker = argument;
    if (worker->capture.count == 0)
        return;
    struct capture_endpoint endpoint = {.remote_port = request->remote_port,
                                        .local_port = request->local_port};
    memcpy(endpoint.remote, request->remote, sizeof endpoint.remote);
    capture_connect(&worker->capture, request->bytes, request->client_id_len, &endpoint);
}
