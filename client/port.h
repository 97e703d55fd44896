/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port - the URBs of one attached device between kernel and target.
 *
 * Owns their numbers, their order, the window and the acknowledgements
 * (rpc/usbip.x says the rules). Knows no RPC, no char device and no clock:
 * what it wants done it says through struct port_ops, what happens it is told.
 */
#ifndef USBIP_CLIENT_PORT_H
#define USBIP_CLIENT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/answer.h"
#include "client/isoc.h"
#include "client/urb.h"
#include "client/vhci.h"

struct port;

/* Of one RENEW. */
#define PORT_ACKS	31

/* What the target lets in, as CLAIM said. */
struct port_window {
	uint32_t urbs;
	uint32_t bytes;
	uint32_t data_max;	/* of one URB */
};

struct port_ops {
	/* Send it, with this acknowledgement of its row. -ENOTCONN: not sent,
	 * port_down() will follow; other -errno: it can not be sent at all. */
	int (*submit)(struct urb *urb, uint32_t acked, void *user);
	/* Send the UNLINK of one that is flying. */
	void (*unlink)(struct urb *urb, void *user);
	/* Send a RENEW with what port_acks() gives. */
	void (*renew)(void *user);
	/* Answer the kernel. */
	void (*complete)(const struct vhci_complete *done, void *user);
	/* Call port_retry() in so many ms. */
	void (*retry_in)(unsigned int ms, void *user);
	/* A control request was answered with data from the device; or the
	 * configuration was set (no data). */
	void (*heard)(const uint8_t setup[8], const uint8_t *data, size_t len,
		      void *user);
	/* The target breaks the protocol, or refuses for ever: give up. */
	void (*broken)(const char *why, void *user);
	void *user;
};

struct port_ack {
	uint8_t endpoint;
	uint16_t stream;		/* or 0 */
	uint32_t acked;
};

/* Of an URB that was sent. */
struct port_number {
	uint8_t endpoint;
	uint16_t stream;
	uint32_t number;
};

struct port_stats {
	uint64_t urbs_in, urbs_out;	/* ended, by direction of their data */
	uint64_t bytes_in, bytes_out;
	uint64_t failed;		/* ended with an error, unlinks not */
	uint64_t unlinked;
	uint64_t resent;		/* over a new connection */
	uint64_t delayed;
};

/* How a numbered call was answered, in terms of this side. */
enum port_verdict {
	PORT_DONE,		/* executed, or refused for good: it is over */
	PORT_DELAY,		/* not taken for want of room */
	PORT_NOT_TAKEN,		/* the target's system failed */
	PORT_BROKEN,		/* an answer that makes no sense */
};

struct port_answer {
	enum port_verdict verdict;
	int status;		/* DONE: 0 or -errno for the kernel */
	uint32_t actual;
	const uint8_t *data;	/* IN: `actual` bytes, or NULL */
	uint32_t n_packets;	/* isochronous, as the rest to `lost` */
	const struct vhci_packet *packets;
	uint32_t start_frame;
	uint32_t n_late;	/* of the packets */
	bool lost;		/* no answer came; the packets are made up */
	void *(*keep)(void *arg);
	void (*unkeep)(void *kept);
	void *keep_arg;
};

/* `descriptors` must live as long. Begins without a connection. NULL: memory. */
struct port *port_new(const struct port_window *window,
		      const struct answer_descriptors *descriptors,
		      const struct port_ops *ops);
/* For isochronous URBs: the bus, and how far the kernel is kept ahead. */
void port_set_isoc(struct port *port, enum usb_speed speed,
		   unsigned int ahead_ms);
/* It has to fit into a datagram, there and back: others are refused. */
void port_limit_isoc(struct port *port);
/* URBs that are outstanding are forgotten, not answered. */
struct port *port_free(struct port *port);

/* ---- from the kernel ---------------------------------------------------- */

void port_submit(struct port *port, const struct vhci_submit *s);
void port_unlink(struct port *port, uint64_t id);
void port_reset(struct port *port, uint64_t id);
void port_streams(struct port *port, const struct vhci_streams *s);
void port_suspend(struct port *port, uint64_t id, bool suspend);
/* It has unplugged the device and has all of its URBs back: none is answered
 * to it any more; those that fly are unlinked. */
void port_forget(struct port *port);
/* Answers queued until now have been written to the kernel. True: the kernel
 * is to be read until it has nothing more, and port_settled() be called. */
bool port_written(struct port *port);
void port_settled(struct port *port);

/* ---- from the target ---------------------------------------------------- */

/* A FLYING urb was answered. May end its life. */
void port_answered(struct urb *urb, const struct port_answer *answer);
/* ops->unlink() was answered; not taken: it came too early to be kept. */
void port_unlinked(struct port *port, const struct port_number *of, bool taken);
void port_retry(struct port *port);
/*
 * The connection is lost: what flies stays, nothing is sent. It is back, and
 * port_acks(.., true) has been sent on it: what flies is sent again.
 */
void port_down(struct port *port);
void port_up(struct port *port);
/*
 * The acknowledgements to be sent now, PORT_ACKS at most: those that the
 * target has not been told, or all. They count as told from here on; as many as
 * PORT_ACKS: there may be more, for the next RENEW.
 */
size_t port_acks(struct port *port, struct port_ack *acks, bool all);

/* URBs that the kernel waits for. */
size_t port_outstanding(const struct port *port);
const struct port_stats *port_stats(const struct port *port);
const struct isoc *port_isoc(const struct port *port);

#endif
