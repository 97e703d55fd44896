/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load - one session of a controller, and what it does all the time: its own
 * connection, a device, URBs as deep as it is given, and every byte that comes
 * looked at. Any number of them run on one event loop.
 *
 *	CLAIMING -> PREPARING -> RUNNING -> STOPPING -> RELEASING -> OVER
 *	    ^                     |   ^                     |
 *	    |                     v   |                     |
 *	    |                   RENEWING                    |
 *	    |_______________________________________________|
 *
 * A habit is what it does beside. One that comes and goes RELEASEs with URBs
 * under way and CLAIMs again. One that breaks ends its connection with calls
 * under way, RENEWs on another one, and sends again what was not answered: its
 * device is a loopback, which shows what was lost, or carried out twice.
 */
#ifndef USBIP_TESTS_SOAK_LOAD_H
#define USBIP_TESTS_SOAK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rpcclnt.h"
#include "rpc/usbip.h"

struct event_base;

#define LOAD_DEPTH_MAX 32
#define LOAD_ROWS 3

enum load_kind {
	LOAD_KIND_SOURCE,	/* bulk IN, zeros */
	LOAD_KIND_SINK,		/* bulk OUT */
	LOAD_KIND_LOOP,		/* bulk OUT, and the same bytes IN */
	LOAD_KIND_CONTROL,	/* a vendor request keeps, another gives back */
	LOAD_KIND_INTERRUPT,	/* interrupt IN, in the device's own time */
	LOAD_KIND_ISOC,		/* IN and OUT, a packet a millisecond */
	LOAD_KIND_KEYS,		/* a key is typed, and its report awaited */
	LOAD_KINDS
};

enum load_habit {
	LOAD_HABIT_STAY,
	LOAD_HABIT_COME_AND_GO,
	LOAD_HABIT_BREAK,
	LOAD_HABITS
};

enum load_state {
	LOAD_STATE_CLAIMING,
	LOAD_STATE_PREPARING,
	LOAD_STATE_RUNNING,
	LOAD_STATE_RENEWING,
	LOAD_STATE_STOPPING,
	LOAD_STATE_RELEASING,
	LOAD_STATE_OVER,
};

struct load;
struct load_row;

/* A call under way, and what it points to. */
struct load_slot {
	struct load_row *row;
	uint32_t number;
	bool busy;			/* not answered */
	union {
		usbip_control_args control;
		usbip_bulk_args bulk;
		usbip_interrupt_args interrupt;
		usbip_isoc_args isoc;
		usbip_set_configuration_args configuration;
		usbip_set_interface_args interface;
	} args;
	union {
		usbip_transfer_res transfer;
		usbip_isoc_res isoc;
		usbip_state_res state;
	} res;
	rpcproc_t proc;
	uint8_t *data;			/* OUT */
	u_int *packets;
};

/* The row of numbers of one endpoint. */
struct load_row {
	struct load *load;
	uint8_t endpoint;
	unsigned int depth;
	uint32_t next, low;		/* numbers: next, first not done */
	uint64_t position;		/* bytes, or packets, that have gone */
	struct load_slot slots[LOAD_DEPTH_MAX];
};

struct load {
	struct event_base *base;
	unsigned int port;
	char device[32];
	enum load_kind kind;
	enum load_habit habit;
	enum load_state state;
	unsigned int index;
	char failure[160];		/* "": none yet */

	struct rpcclnt *clnt;
	usbip_session session;
	uint32_t instance;
	struct load_row rows[LOAD_ROWS]; /* 0: endpoint 0 */
	unsigned int step;		/* of what rows[0] does */
	union {
		usbip_claim_res claim;
		usbip_stat_res stat;
		usbip_renew_res renew;
	} res;
	bool calling;			/* one of these */
	bool last;			/* it does not claim again */
	uint64_t until;			/* ms: of this habit's turn */
	uint8_t kept[256];		/* CONTROL: what was written */

	uint64_t n;			/* transfers, all in all */
	uint64_t n_sessions, n_breaks, n_delays;
	uint64_t typed;			/* KEYS: us, when */
	void (*latency)(struct load *l, uint64_t us);
};

uint64_t load_now_us(void);

/* Begins to claim. index: its seed, and its instance. */
void load_start(struct load *l, struct event_base *base, unsigned int port,
		unsigned int index, enum load_kind kind, enum load_habit habit,
		const char *device);
/* Its habit's turn, if it is time; to be called often. */
void load_tick(struct load *l);
/* Finish what it has begun, release, and be OVER. */
void load_stop(struct load *l);
void load_free(struct load *l);

const char *load_kind_name(enum load_kind kind);

/* model.c: what the kinds submit, and what they make of answers. */

/* The next step of PREPARING; false: there is none. */
bool load_prepare(struct load *l);
/* Submit what the depths of the rows have room for. */
void load_submit(struct load *l);
/* Something was answered: check it. */
void load_check(struct load_slot *slot);

/* load.c, for that: a slot with the next number of the row, or NULL: it is
 * full. load_send() sends it, now and, after a lost connection, again. */
struct load_slot *load_slot(struct load_row *row);
void load_send(struct load_slot *slot);
__attribute__((format(printf, 2, 3)))
void load_fail(struct load *l, const char *format, ...);

#endif
