/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle - every URB of the driver, what the device did with it and what the
 * driver was told, and whether that may be. It sees both ends and nothing of
 * what is between them. README names the properties.
 */
#ifndef USBIP_TESTS_SIM_ORACLE_H
#define USBIP_TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

/* Rows of both ends: OUT from 0, IN from 16; then streams. */
#define ORACLE_STREAMS	3
#define ORACLE_ROWS	(32 + 2 * ORACLE_STREAMS)

enum oracle_kind {
	ORACLE_DATA,		/* bulk, interrupt */
	ORACLE_CONTROL,
	ORACLE_ISOC,		/* what the device does is not looked at */
	ORACLE_STATE,		/* executed as a call of its own */
	ORACLE_LOCAL,		/* answered by the helper itself */
};

struct oracle_urb {
	uint64_t id;
	enum oracle_kind kind;
	unsigned int generation;	/* of the port: how often unplugged by then */
	uint8_t endpoint;		/* address; control: 0 */
	uint16_t stream;		/* or 0 */
	bool in;
	uint32_t seq;			/* of its row, 1, 2, 3 ... */
	uint32_t length;
	bool short_not_ok;
	uint64_t since;

	/* the device's side */
	unsigned int attempts;		/* it was given to the device */
	unsigned int effects;		/* and something came of it */
	bool at_device;
	int status;			/* of the last attempt that ended */
	uint32_t actual;

	/* the driver's side */
	bool unlinked;
	struct oracle_urb *because;	/* unlinked by this one's handler */
	bool given_back, forced;	/* forced: the port was unplugged */
	bool handled;			/* its completion handler has run */
};

void oracle_begin(void);
/* All is over: nothing may be left. */
void oracle_end(void);
/* There is none left but for the enumeration. */
bool oracle_is_full(void);
struct oracle_urb *oracle_submit(enum oracle_kind kind, uint8_t endpoint,
				 uint16_t stream, uint32_t length);
struct oracle_urb *oracle_find(uint64_t id);
/* The n-th of the row, now. */
struct oracle_urb *oracle_find_seq(uint8_t endpoint, uint16_t stream,
				   uint32_t seq);
/* The state call that the driver waits for, or waited for last. */
struct oracle_urb *oracle_find_state(void);
/* The byte of its data: OUT, or IN of its last attempt. */
uint8_t oracle_byte(const struct oracle_urb *u, uint32_t at);

/* Until then the target may have a reason to end the session. */
void oracle_excuse(uint64_t until);

/* ---- the device --------------------------------------------------------- */

/* It was claimed, for what is plugged in next. */
void oracle_claimed(void);
/* UNLINK has come to the target, and was taken. */
void oracle_unlink_came(uint8_t endpoint, uint16_t stream, uint32_t number);
void oracle_attempt(struct oracle_urb *u, uint32_t number);
void oracle_ended(struct oracle_urb *u, int status, uint32_t actual);

/* ---- the driver --------------------------------------------------------- */

void oracle_unlink(struct oracle_urb *u, struct oracle_urb *because);
/* data: what came, or NULL */
void oracle_given_back(struct oracle_urb *u, int status, uint32_t actual,
		       const uint8_t *data);
void oracle_handled(struct oracle_urb *u);
/* The port is unplugged: the kernel gives back what there is. From here on
 * other URBs come, which another claim of the device is to run. */
void oracle_unplugged(void);
/* What the driver waits for. */
unsigned int oracle_outstanding(void);

#endif
