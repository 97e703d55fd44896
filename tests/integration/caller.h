/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caller - a controller for tests: usbip-rpcd started with devices made of
 * script, connections to it, and calls that wait for their reply, or do not.
 */
#ifndef USBIP_TESTS_INTEGRATION_CALLER_H
#define USBIP_TESTS_INTEGRATION_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/rpcclnt.h"
#include "rpc/usbip.h"

/* ---- the daemon --------------------------------------------------------- */

struct caller_daemon {
	pid_t pid;
	unsigned int port;
	char dir[64];		/* "exports", "script", "control" are in here */
	int log;		/* read end of its standard error */
	char text[65536];	/* of the log, as far as it was read */
	size_t n_text;
};

/* $top_builddir/server/usbip-rpcd on a free port. script: NULL for the
 * built-in devices; args: more options, NULL at the end. Aborts if it fails. */
void caller_daemon_start(struct caller_daemon *d, const char *exports,
			 const char *script, const char *const *args);
/* SIGTERM; its exit code, or -signal. */
int caller_daemon_stop(struct caller_daemon *d);
/* Remove what was made for it, where it has ended by itself. */
void caller_daemon_forget(struct caller_daemon *d);
void caller_daemon_write(struct caller_daemon *d, const char *file,
			 const char *text);
/* Wait until the log has `text` behind what was found before; 5 s. */
bool caller_daemon_says(struct caller_daemon *d, const char *text);

/* ---- a connection ------------------------------------------------------- */

struct caller {
	struct event_base *base;
	struct event *tick;		/* so that no round of the loop is long */
	struct rpcclnt *clnt;
	bool closed;
	usbip_session session;
	uint32_t numbers[256];		/* the last one used, by address */
	uint32_t acked[256];
};

/* Aborts if it can not connect. */
void caller_open(struct caller *c, const char *host, unsigned int port);
/* By datagrams; the address is proved. A call that is answered IN_PROGRESS goes
 * on waiting. */
void caller_open_dgram(struct caller *c, const char *host, unsigned int port);
void caller_close(struct caller *c);
/* Run the loop for so long, or until *done. */
bool caller_run(struct caller *c, unsigned int ms, const bool *done);

/* A call under way. res is the caller's to look at once done. */
struct caller_call {
	bool done;
	struct rpc_err err;
	void *record;			/* keeps payloads of res */
	struct caller *c;
	union {
		usbip_list_res list;
		usbip_events_res events;
		usbip_claim_res claim;
		usbip_renew_res renew;
		usbip_stat_res stat;
		usbip_transfer_res transfer;
		usbip_isoc_res isoc;
		usbip_state_res state;
		usbip_fetch_res fetch;
	} res;
	usbip_control_args control;
	usbip_bulk_args bulk;
	usbip_interrupt_args interrupt;
};

/* Before each stub: where the reply goes. */
void caller_begin(struct caller *c, struct caller_call *call);
/* Until it is done, 10 s at most; RPC_SUCCESS, or how it failed. */
enum clnt_stat caller_wait(struct caller_call *call);
/* Free what the result holds. */
void caller_end(struct caller_call *call, xdrproc_t xdr);

/* ---- what tests do all the time ----------------------------------------- */

/* The status; the session is c's from now on. claim: NULL, or freed by
 * caller_end(xdr_usbip_claim_res). */
usbip_stat caller_claim(struct caller *c, const char *device, uint8_t instance,
			struct caller_call *claim);
usbip_stat caller_release(struct caller *c);
usbip_stat caller_renew(struct caller *c, uint8_t endpoint, uint32_t acked);
usbip_stat caller_unlink(struct caller *c, uint8_t endpoint, uint32_t number);

/* Numbers are taken in order, unless `number` is not 0. */
void caller_submit_in(struct caller *c, struct caller_call *call,
		      uint8_t endpoint, uint32_t length, uint32_t number);
void caller_submit_out(struct caller *c, struct caller_call *call,
		       uint8_t endpoint, const void *data, uint32_t length,
		       uint32_t number);
void caller_submit_interrupt(struct caller *c, struct caller_call *call,
			     uint8_t endpoint, uint32_t length, uint32_t number);
void caller_submit_control(struct caller *c, struct caller_call *call,
			   const uint8_t *setup, void *data, uint32_t number);

/* With the data by pieces: STAGED on OUT endpoints, FETCHED on IN ones. */
void caller_submit_pieces(struct caller *c, struct caller_call *call,
			  uint8_t endpoint, uint32_t length, uint32_t number);
usbip_stat caller_stage(struct caller *c, uint32_t endpoint, uint32_t number,
			uint32_t offset, const void *piece, uint32_t length);
/* OK: *length bytes came. data: NULL, or as many as are asked for. */
usbip_stat caller_fetch(struct caller *c, uint32_t endpoint, uint32_t number,
			uint32_t offset, void *data, uint32_t *length);

/* Of a transfer that is done: bytes, or -1 and *xfer says why (-2: the call
 * itself failed, *xfer is then the usbip_stat). data: NULL, or length bytes. */
int caller_result(struct caller_call *call, void *data, size_t length,
		  int *xfer);
/* One control transfer from begin to end, acknowledged by the next one. */
int caller_control(struct caller *c, const uint8_t *setup, void *data,
		   int *xfer);
int caller_bulk(struct caller *c, uint8_t endpoint, void *data,
		uint32_t length, int *xfer);
/* SET_CONFIGURATION (value), SET_INTERFACE (index, value), CLEAR_HALT (value),
 * RESET, SUSPEND (value: remote wakeup), RESUME: as caller_result() has it. */
int caller_state(struct caller *c, rpcproc_t proc, unsigned int value,
		 unsigned int index, int *xfer);
/* A vendor OUT request without data, to a fake device: 0, or -1. */
int caller_tell(struct caller *c, uint8_t request, unsigned int value,
		unsigned int index);
/* The numbers that the fake device executed on this endpoint. */
size_t caller_executed(struct caller *c, uint8_t endpoint, uint32_t *numbers,
		       size_t n);

#endif
