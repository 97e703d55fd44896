/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mock - a target that does what usbip-rpcd does not: it says what it likes,
 * late, too often, or not at all. Serves within the test's own loop.
 */
#ifndef USBIP_TESTS_MOCK_H
#define USBIP_TESTS_MOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/usbip.h"

struct event_base;

/* What is done with a call. */
enum mock_way {
	MOCK_ANSWER,		/* with what is set below; EVENTS: when asked to */
	MOCK_SILENCE,
	MOCK_CLOSE,		/* the connection */
	MOCK_REFUSE,		/* PROC_UNAVAIL */
};

extern struct mock {
	enum mock_way claim, renew, events, release;
	unsigned int n_closing;		/* calls to close on; then it answers */
	/* Of CLAIM, EVENTS and RELEASE. */
	usbip_stat claim_stat, events_stat, release_stat;
	const char *text;		/* bus id, holder, candidate */
	uint32_t lease;			/* s */
	unsigned int release_ms;	/* RELEASE is answered as late */
	bool events_early;		/* answered at once, with nothing */
	/* Of the device, or NULL: what CLAIM leaves out and FETCH gives. */
	const uint8_t *descriptors;
	uint32_t n_descriptors;
	unsigned int page_ms;		/* LIST: a device in each page, as late */
	bool page_eof;			/* the first page is all */
	unsigned int n_delays;		/* LIST to answer DELAY first */
	/* What came. */
	unsigned int n_claims, n_events, n_releases, n_fetches, n_lists;
	unsigned int n_instances;	/* different ones, of CLAIM */
	unsigned int n_renews;		/* and of the last one: */
	uint32_t n_acks, acked;		/* acknowledgements; the first number */
} mock;

/* All zero, but for OK, "1-1" and a lease of 30 s. The port that it listens at,
 * TCP and UDP. There is one. */
uint16_t mock_begin(struct event_base *base);
void mock_end(void);
/* Answer the EVENTS that waits: the session is over. */
void mock_end_session(usbip_stat why);

#endif
