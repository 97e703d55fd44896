/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service - a service for tests of the engine, under rpcgen's dispatcher.
 *
 *	NULL		answered
 *	RENEW		answered; the connection is vouched for once more
 *	CONTROL		answered at once: wLength bytes of pattern setup[0], in
 *			memory that the next one uses again
 *	BULK		parked: service_answer() answers it, with `length` bytes
 *			of the pattern of its number, or with what it sent
 *	EVENTS		deferred and answered within the routine
 *	RELEASE		never answered
 *	UNLINK		answered, and the connection is closed
 *	FETCH		a result that cannot be encoded, deferred
 *	others		PROC_UNAVAIL
 */
#ifndef USBIP_TESTS_UNIT_SERVICE_H
#define USBIP_TESTS_UNIT_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/rpcsrv.h"
#include "rpc/usbip.h"

struct service_bulk {
	TAILQ_ENTRY(service_bulk) link;
	struct rpcsrv_call *call;
	uint32_t number;
	usbip_buffer buffer;
};

struct service {
	struct rpcsrv *srv;
	TAILQ_HEAD(, service_bulk) parked;	/* as they came */
	unsigned int n_parked;
	unsigned int n_bad;		/* payloads that were not their pattern */
	unsigned int n_lent;		/* payloads by reference, not released */
	unsigned int n_closed;		/* connections that ended */
	uint32_t data_max;		/* BULK IN of more is INVAL */
	bool auto_answer;		/* BULK is answered from the routine */
	struct rpcsrv_conn *trusted;	/* of the last RENEW */
	uint32_t uid;			/* of the last call with AUTH_SYS */
	char machine[256];
};

/* The configuration of a service with default limits. */
struct rpcsrv_config service_config(struct service *s, struct event_base *base);
/* service.srv from config. */
int service_init(struct service *s, const struct rpcsrv_config *config);
void service_deinit(struct service *s);
/* Take back what the last RENEW said; does another one still say it? */
bool service_distrust(struct service *s);
/* Answer the parked BULK of that number; false: there is none. */
bool service_answer(struct service *s, uint32_t number);

void service_fill(void *data, size_t len, uint32_t seed);
bool service_check(const void *data, size_t len, uint32_t seed);

#endif
