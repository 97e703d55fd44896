/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls - what its files share; nothing else includes this.
 */
#ifndef USBIP_CLIENT_CALLS_IMPL_H
#define USBIP_CLIENT_CALLS_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/calls.h"
#include "client/port.h"
#include "rpc/usbip.h"

struct haul;

struct call {
	STAILQ_ENTRY(call) link;	/* of spare */
	TAILQ_ENTRY(call) busy;		/* of isocs, or of hauling */
	struct calls *calls;
	struct urb *urb;		/* ISOC: NULL when it was given up */
	uint32_t acked;			/* as it was sent */
	struct port *port;		/* UNLINK */
	struct port_number unlinks;	/* that */
	bool state_call, isoc;		/* which of the results */
	bool in_pieces;
	uint64_t overtaken;		/* ISOC: when, in ms; 0: not */
	bool early;			/* ISOC: answered, before others */
	void *record;			/* that its results are in, then */
	struct haul *haul;
	union {
		usbip_transfer_res transfer;
		usbip_isoc_res isoc;
		usbip_state_res state;
		usbip_stat_res stat;
	} res;
};

STAILQ_HEAD(call_list, call);
TAILQ_HEAD(busy_list, call);

struct calls {
	struct session *session;
	struct event_base *base;
	struct call_list spare;
	struct busy_list isocs;		/* outstanding or early; as sent */
	struct event *overdue;		/* some of them were overtaken */
	struct busy_list hauling;	/* those with a haul */
	struct vhci_packet packets[VHCI_PACKETS_MAX];	/* of a reply */
};

/* The call has ended. */
void calls_give(struct call *call);
/* Its results are there: the port's now. `kept`: the record is not the one that
 * the engine has just read. */
void calls_take(struct call *call, bool kept);

/* calls_datagram.c */
/* Haul so many bytes of the URB. -ENOTCONN: there is no connection; another
 * -errno: it can not be. */
int calls_haul(struct call *call, uint32_t length);
/* Haul the data of a call that was sent. */
void calls_stage(struct call *call);
/* If there is a haul, it is of no use any more. */
void calls_drop_haul(struct call *call);
/* 0; -ENOMEM */
int calls_init_isoc(struct calls *calls);
/* An isochronous URB will not be answered. */
void calls_lose(struct call *call);
/* One is answered. False: too early, and it is kept until its turn has come. */
bool calls_in_turn(struct call *call);
/* One has ended: whose turn is it? */
void calls_go_on(struct calls *calls);

#endif
