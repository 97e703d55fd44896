/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target - what this machine offers: its devices, who may have them, who has
 * them, and what happens to them. Joins sessions to devices; knows no RPC.
 */
#ifndef USBIP_SERVER_TARGET_H
#define USBIP_SERVER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/pool.h"
#include "server/departures.h"
#include "server/device.h"
#include "server/events.h"
#include "server/exports.h"
#include "server/refusals.h"
#include "server/session.h"

struct event;
struct event_base;
struct peer_name;
struct peer_names;
struct worker;

/* Who calls. */
struct target_peer {
	const struct sockaddr *addr;
	const struct peer_name *name;	/* or NULL */
	const char *host;	/* the caller's own name for itself, and where
				 * from: for people */
};

/* How calls that were kept are answered. `call` was given as waiter. */
struct target_ops {
	/* s: claimed, or if r is not 0, failed with -errno. */
	void (*claimed)(void *call, struct session *s, int r);
	void (*released)(void *call);
	void (*ended)(void *call, struct urb *urb);
	void (*superseded)(void *call);
	/* s, which was claimed, has ended, or begun to. */
	void (*left)(struct session *s);
	/* Has anything come for s since its last call? */
	bool (*is_heard)(struct session *s);
	events_answer_fn events;
};

struct target_config {
	struct event_base *base;
	const struct backend_ops *backend;
	const char *backend_argument;
	const char *exports_file;	/* for target_reload() */
	struct exports *exports;	/* consumed by target_new() */
	unsigned int lease;		/* seconds */
	const struct target_ops *ops;
	void (*returned)(void *user);	/* a session ENDED */
	void (*stopped)(void *user);	/* target_stop() is complete */
	void *user;
};

struct target {
	struct target_config config;
	uint8_t boot[8];
	void *backend;
	TAILQ_HEAD(target_devices, device) devices;	/* plugged in, by id */
	uint64_t last_id;
	struct departures departures;
	struct refusals refusals;	/* that were logged */
	struct sessions sessions;
	struct pool urbs;		/* for their structs */
	struct events events;
	struct exports *exports;
	struct peer_names *names;
	struct worker *loader;		/* reads the exports file */
	bool reload;			/* once more, after the loader */
	struct event *timer;		/* leases, waits */
	struct event *room;		/* try again what found no room */
	bool stopping, stopped;
};

enum target_claim {
	TARGET_CLAIM_PENDING,	/* ops->claimed() comes */
	TARGET_CLAIM_HELD,	/* this instance has it: *sp */
	TARGET_CLAIM_NO_DEVICE,
	TARGET_CLAIM_AMBIGUOUS,	/* target_is_named() says which */
	TARGET_CLAIM_NO_PERMISSION,
	TARGET_CLAIM_BUSY,	/* *sp has it */
	TARGET_CLAIM_NO_ROOM,	/* memory, descriptors, threads; logged */
	TARGET_CLAIM_FAILED,	/* it is being stopped */
};

int target_new(struct target **tp, const struct target_config *config);
struct target *target_free(struct target *t);
/* End all sessions and give all devices back; then stopped() is called. */
void target_stop(struct target *t);
/* Read the exports file again; a wrong one changes nothing. */
void target_reload(struct target *t);

uint64_t target_now(void);

bool target_allows(const struct target *t, const struct device *dev,
		   const struct target_peer *peer,
		   struct exports_options *options);
/* Does what is at this address need its name for an answer? device: the one
 * that it asks for, by target_is_named(), or NULL: all. */
bool target_needs_name(struct target *t, const struct sockaddr *addr,
		       const char *device);
/* Does `name` (bus id, VID:PID, VID:PID/serial) mean this device? */
bool target_is_named(const struct device *dev, const char *name);
/* Look for devices again, where the system does not tell. */
void target_rescan(struct target *t);

enum target_claim target_claim(struct target *t, const char *name,
			       const uint8_t *instance,
			       const struct target_peer *peer, void *call,
			       struct session **sp);
/* ops->released(call) comes when the device is back; of a session that is
 * being released already, to this call instead of the one before. */
void target_release(struct target *t, struct session *s, void *call);
/* As the administrator of this machine wants it; config.returned() follows,
 * perhaps from in here. Nothing if it has begun to end already. */
void target_revoke(struct target *t, struct session *s);
/* Its lease is renewed. NULL: never was, or forgotten. */
struct session *target_session(struct target *t, uint64_t handle);
/* As events_wait(). */
int target_wait(struct target *t, const struct events_filter *filter,
		uint64_t after, unsigned int seconds, void *call);

#endif
