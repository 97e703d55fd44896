// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * admin_ask - usbip-rpcd --sessions and --revoke: the asking side.
 */
#include "server/admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/control.h"
#include "common/log.h"
#include "common/text.h"

#define ASK_TIMEOUT_MS	5000
/* Until a device has been given back: its URBs are cancelled, and it is reset,
 * which takes a device that does not answer some seconds. */
#define REVOKE_TIMEOUT_MS 20000

static const char *string_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static uint64_t number_at(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* -errno, logged; but for -ETIMEDOUT, which the caller knows better. */
static int ask(const char *path, json_t *request, unsigned int timeout_ms,
	       json_t **replyp)
{
	int r = control_ask(path, request, timeout_ms, replyp);

	if (r == -ENOENT || r == -ECONNREFUSED)
		log_error("no service answers at %s: is usbip-rpcd running?",
			  path);
	else if (r == -EACCES)
		log_error("%s: %s: take root", path, strerror(-r));
	else if (r == -EPROTO || r == -ECONNRESET || r == -EPIPE)
		log_error("%s: the service did not answer: it has ended, or you are neither root nor its user",
			  path);
	else if (r && r != -ETIMEDOUT)
		log_error("%s: %s", path, strerror(-r));
	return r;
}

/* ---- --sessions ---------------------------------------------------------- */

static void print_one(const json_t *o)
{
	const json_t *urbs = json_object_get(o, "urbs");
	const json_t *bytes = json_object_get(o, "bytes");
	time_t since = (time_t)number_at(o, "since");
	char date[32] = "?", span[32], in[32], out[32];
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s: %s:%s %s, %s\n", string_at(o, "busid"),
	       string_at(o, "vendor"), string_at(o, "product"),
	       string_at(o, "name"), string_at(o, "state"));
	printf("    claimed by %s, since %s (%s)\n", string_at(o, "host"), date,
	       text_duration((uint64_t)(time(NULL) - since), span,
			     sizeof(span)));
	if (json_is_string(json_object_get(o, "connection")))
		printf("    %s from %s", string_at(o, "transport"),
		       string_at(o, "connection"));
	else
		printf("    no connection");
	printf("; %" PRIu64 " of %" PRIu64 " s of the lease left\n",
	       number_at(o, "lease_left"), number_at(o, "lease"));
	printf("    in %" PRIu64 " URBs, %s; out %" PRIu64 " URBs, %s; %"
	       PRIu64 " in the window\n", number_at(urbs, "in"),
	       text_bytes(number_at(bytes, "in"), in, sizeof(in)),
	       number_at(urbs, "out"),
	       text_bytes(number_at(bytes, "out"), out, sizeof(out)),
	       number_at(urbs, "window"));
}

int admin_show(const char *path, bool json)
{
	json_t *reply, *sessions, *o;
	size_t i;
	int r = ask(path, json_pack("{s:s}", "request", "sessions"),
		    ASK_TIMEOUT_MS, &reply);

	if (r == -ETIMEDOUT)
		log_error("%s: the service does not answer", path);
	sessions = json_object_get(reply, "sessions");
	if (!r && json) {
		json_dumpf(sessions, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!r) {
		json_array_foreach(sessions, i, o)
			print_one(o);
	}
	json_decref(reply);
	return r;
}

/* ---- --revoke ------------------------------------------------------------ */

static void print_revoked(const json_t *revoked)
{
	const json_t *o;
	size_t i;

	json_array_foreach(revoked, i, o)
		printf("%s: taken back from %s\n", string_at(o, "busid"),
		       string_at(o, "host"));
}

static void print_candidates(const json_t *candidates, const char *device)
{
	const json_t *o;
	size_t i;

	fprintf(stderr, "usbip-rpcd: several devices that are claimed have the name %s:",
		device);
	json_array_foreach(candidates, i, o)
		fprintf(stderr, " %s", json_string_value(o));
	fputc('\n', stderr);
}

static int tell(const json_t *reply, const char *device)
{
	const json_t *revoked = json_object_get(reply, "revoked");
	const json_t *candidates = json_object_get(reply, "candidates");

	if (json_array_size(candidates)) {
		print_candidates(candidates, device);
		return ADMIN_E_NO_SESSION;
	}
	if (!json_array_size(revoked) && strcmp(device, "all")) {
		log_error("nobody has claimed %s", device);
		return ADMIN_E_NO_SESSION;
	}
	print_revoked(revoked);
	return 0;
}

int admin_revoke(const char *path, const char *device)
{
	json_t *reply;
	int r = ask(path, json_pack("{s:s, s:s}", "request", "revoke",
				    "device", device),
		    REVOKE_TIMEOUT_MS, &reply);

	if (r == -ETIMEDOUT) {
		log_error("%s: the session has ended, but within %d seconds the device was not given back: see the service's log",
			  device, REVOKE_TIMEOUT_MS / 1000);
		r = ADMIN_E_NOT_RETURNED;
	} else if (!r) {
		r = tell(reply, device);
	}
	json_decref(reply);
	return r;
}
