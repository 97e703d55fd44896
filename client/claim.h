/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim - what CLAIM answers, in the terms of this side: the device, or why
 * it is not to be had.
 */
#ifndef USBIP_CLIENT_CLAIM_H
#define USBIP_CLIENT_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/answer.h"
#include "client/failure.h"
#include "client/port.h"
#include "rpc/usbip.h"

/* What the target told of the device and of the terms. */
struct claim_device {
	char busid[USBIP_BUSID_MAX + 1];	/* at the target; clean */
	enum usb_speed speed;
	uint8_t configuration;			/* 0: none */
	unsigned int lease;			/* seconds */
	struct port_window window;
	struct answer_descriptors descriptors;
};

/*
 * Copy an answer OK. -EPROTO: it makes no sense; -ENOMEM. What was copied by
 * then is freed by answer_descriptors_deinit().
 */
int claim_learn(struct claim_device *d, const usbip_claim_ok *ok);
/* Were the configurations left out, as the answer had no room? */
bool claim_is_cut(const usbip_claim_ok *ok);
/*
 * Take them, and BOS, out of what FETCH brought: the descriptors of the device
 * (18 bytes), of each configuration, and of BOS, one behind the other. -EPROTO,
 * -ENOMEM, as of claim_learn().
 */
int claim_take_descriptors(struct claim_device *d, const uint8_t *bytes,
			   size_t len);
/* A lease as the target told it, in bounds. */
unsigned int claim_lease(unsigned int told);
/* Explain any other answer. */
void claim_refused(struct failure *f, const usbip_claim_res *res,
		   const char *host, const char *device);
/* The end of the call: 0, and *d has the device; or -1 and *f says why. */
int claim_read(struct claim_device *d, const struct rpc_err *err,
	       const usbip_claim_res *res, const char *host,
	       const char *device, struct failure *f);

#endif
