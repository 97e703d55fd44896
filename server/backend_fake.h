/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend_fake - devices made of script: see backend_fake.c. What its files
 * share; nothing else includes this.
 */
#ifndef USBIP_SERVER_BACKEND_FAKE_H
#define USBIP_SERVER_BACKEND_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/backend.h"
#include "server/endpoint.h"
#include "server/urb.h"

struct event;
struct fake;
struct fake_device;

enum fake_fault_kind {
	FAKE_FAULT_NONE,
	FAKE_FAULT_STALL,	/* and the endpoint is halted, unless 0 */
	FAKE_FAULT_SHORT,	/* half of the data */
	FAKE_FAULT_IO,
	FAKE_FAULT_OVERFLOW,	/* all of the data, and more */
	FAKE_FAULT_HANG,	/* never ends by itself */
	FAKE_FAULT_UNPLUG,
	FAKE_FAULT_NO_ROOM,	/* submit() gives -EAGAIN once */
	FAKE_FAULT_PARTIAL,	/* half of the data, then as IO */
	FAKE_FAULT_CUT,		/* half of the data, then as HANG */
	FAKE_FAULT_SHUTDOWN,	/* as of an endpoint that is not there */
	FAKE_FAULT_NO_MEMORY,	/* submit() gives -ENOMEM */
	FAKE_FAULT_INVAL,	/* submit() gives -EINVAL */
};

/* A kind of device. */
struct fake_model {
	const char *name;
	enum backend_speed speed;
	uint16_t vendor, product;
	const char *manufacturer_name, *product_name;
	uint8_t class_code[3];
	unsigned int streams;	/* of bulk endpoints at super speed */
	/* Append the configurations for this speed; returns their bytes. */
	size_t (*configs)(enum backend_speed speed, uint8_t *out, size_t size);
	int (*init)(struct fake_device *dev, unsigned long size);
	void (*deinit)(struct fake_device *dev);
	/*
	 * A class or vendor request, or one to an interface. in: fill data,
	 * at most len, and return how much; out: data is there. -EPIPE: STALL.
	 */
	int (*control)(struct fake_device *dev, const uint8_t *setup,
		       uint8_t *data, size_t len);
	/*
	 * A bulk, interrupt or isochronous transfer is at the head of its
	 * endpoint, or stream. Sets xfer and actual; false: the device is not
	 * ready (NAK). It is asked again after fake_kick(), and when
	 * fake_wake_at() said.
	 */
	bool (*transfer)(struct fake_device *dev, struct urb *urb);
	void (*reset)(struct fake_device *dev);
	/* An alternate setting was chosen. */
	void (*set_interface)(struct fake_device *dev);
};

struct fake_endpoint {
	TAILQ_HEAD(, urb_entry) queue;
	unsigned int n_cancelled;	/* in it */
	unsigned int delay_ms;	/* of each transfer; isochronous: each packet */
	uint64_t busy;			/* isochronous: ms when all is done */
	uint64_t ended;			/* and when what ends now was */
	enum fake_fault_kind spoil;	/* isochronous: of the first packet */
	bool began;			/* isochronous: it was given something */
	uint32_t n_dry;			/* and had nothing left when more came */
	unsigned int fault_after;	/* transfers from now; with fault */
	enum fake_fault_kind fault;
	uint64_t n_executed;
};

/* One execution; what exactly-once is checked by. */
struct fake_execution {
	uint32_t number;
	uint8_t address;
	uint16_t stream;
};

struct fake_device {
	TAILQ_ENTRY(fake_device) link;
	struct fake *fake;
	const struct fake_model *model;
	void *model_state;
	struct backend_info info;
	void *device;		/* what arrived() gave; NULL: unplugged */
	bool plugged;
	bool again;			/* plug in again after forget() */
	struct event *run;
	uint16_t next_product;		/* when it is plugged in next; 0: same */
	_Atomic bool leaves_at_reset, has_left;	/* asked for; the worker did */
	unsigned int away_ms;
	struct event *leave;		/* looks whether it has */
	uint32_t queued;		/* rows with something in their queue */
	uint64_t wake;			/* ms; see fake_wake_at() */
	_Atomic uint32_t halted;	/* rows */
	_Atomic bool suspended;
	_Atomic unsigned int configuration;
	_Atomic uint8_t alternates[4];
	_Atomic uint16_t streams[ENDPOINT_ROWS];	/* allocated */
	uint8_t address;
	struct fake_endpoint endpoints[ENDPOINT_ROWS];
	bool noted;			/* as follows */
	struct fake_execution *executions;
	size_t n_executions;
};

extern const struct fake_model fake_model_zero;
extern const struct fake_model fake_model_keyboard;
extern const struct fake_model fake_model_disk;
extern const struct fake_model fake_model_isoc;
extern const struct fake_model fake_model_uas;
extern const struct fake_model fake_model_camera;

/* Something changed that a transfer may have waited for. */
void fake_kick(struct fake_device *dev);
uint64_t fake_now_ms(void);
/* From within transfer(), which is not ready: not before `ms`. */
void fake_wake_at(struct fake_device *dev, uint64_t ms);
/* Plug in or unplug now. */
void fake_plug(struct fake_device *dev);
void fake_unplug(struct fake_device *dev);

/* backend_fake_control.c: urb is a control transfer; it ends in here. */
void fake_control(struct fake_device *dev, struct urb *urb);

/* backend_fake_script.c: read FILE, or the built-in one if NULL; -errno. */
int fake_script_load(struct fake *fake, const char *file);
/* In answer to the script. -errno. */
int fake_add(struct fake *fake, const struct fake_model *model,
	     const char *busid, struct fake_device **devp);
void fake_start(struct fake_device *dev, bool plugged);
struct fake_device *fake_find(struct fake *fake, const char *busid);
int fake_at(struct fake_device *dev, unsigned int ms, bool plug);
/* The next reset does not find it: it has left, and comes back `ms` later. */
int fake_leave_at_reset(struct fake_device *dev, unsigned int ms);

#endif
