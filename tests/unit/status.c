// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the wire says in the terms of this side, what devices call themselves,
 * and what is fit for a terminal.
 */
#include "client/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/claim.h"
#include "client/names.h"
#include "common/log.h"
#include "common/text.h"
#include "tests/tap.h"

static void test_transfers(void)
{
	static const struct {
		usbip_xfer xfer;
		int error;
	} cases[] = {
		{ USBIP_XFER_OK, 0 },
		{ USBIP_XFER_STALL, -EPIPE },
		{ USBIP_XFER_OVERFLOW, -EOVERFLOW },
		{ USBIP_XFER_IO, -EPROTO },
		{ USBIP_XFER_CANCELLED, -ECONNRESET },
		{ USBIP_XFER_SHUTDOWN, -ESHUTDOWN },
		{ USBIP_XFER_NO_MEMORY, -ENOMEM },
		{ USBIP_XFER_LATE, -ETIME },
		{ USBIP_XFER_MISSED, -EILSEQ },
		{ (usbip_xfer)99, -EPROTO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(status_errno(cases[i].xfer) == cases[i].error,
		   "transfer %d is %d", cases[i].xfer, cases[i].error);
}

static void test_calls(void)
{
	static const struct {
		usbip_stat stat;
		enum port_verdict verdict;
		int error;
		bool ends;
	} cases[] = {
		{ USBIP_OK, PORT_DONE, 0, false },
		{ USBIP_OK_DATA, PORT_DONE, 0, false },
		{ USBIP_INVAL, PORT_DONE, -EINVAL, false },
		{ USBIP_NOT_SUPPORTED, PORT_DONE, -EINVAL, false },
		{ USBIP_DELAY, PORT_DELAY, 0, false },
		{ USBIP_HOST_ERROR, PORT_NOT_TAKEN, 0, false },
		{ USBIP_STALE, PORT_BROKEN, 0, false },
		{ USBIP_IN_PROGRESS, PORT_BROKEN, 0, false },
		{ (usbip_stat)99, PORT_BROKEN, 0, false },
		{ USBIP_NO_SESSION, PORT_BROKEN, 0, true },
		{ USBIP_EXPIRED, PORT_BROKEN, 0, true },
		{ USBIP_GONE, PORT_BROKEN, 0, true },
		{ USBIP_REVOKED, PORT_BROKEN, 0, true },
		{ USBIP_RELEASED, PORT_BROKEN, 0, true },
		{ USBIP_NO_PERMISSION, PORT_BROKEN, 0, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int error = 1;

		ok(status_verdict(cases[i].stat, &error) == cases[i].verdict &&
		   error == cases[i].error &&
		   status_ends_session(cases[i].stat) == cases[i].ends,
		   "%s", status_text(cases[i].stat));
	}
}

static void test_rpc(void)
{
	static const struct {
		enum clnt_stat stat;
		enum failure_code code;
		const char *text;
	} cases[] = {
		{ RPC_PROGVERSMISMATCH, FAILURE_VERSION, "versions 2 to 3" },
		{ RPC_PROGUNAVAIL, FAILURE_VERSION, "another one" },
		{ RPC_TIMEDOUT, FAILURE_UNREACHABLE, "does not answer" },
		{ RPC_CANTRECV, FAILURE_UNREACHABLE, "closed" },
		{ RPC_AUTHERROR, FAILURE_PERMISSION, "credentials" },
		{ RPC_SYSTEMERROR, FAILURE_OTHER, "host" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rpc_err err = { .re_status = cases[i].stat };
		struct failure f;

		if (cases[i].stat == RPC_PROGVERSMISMATCH) {
			err.re_vers.low = 2;
			err.re_vers.high = 3;
		}
		status_rpc_failure(&f, &err, "host");
		ok(f.code == cases[i].code && strstr(f.text, cases[i].text), "%s",
		   f.text);
	}
}

static void test_claim(void)
{
	static char name[] = "other", ids[2][8] = { "3-1", "3-2" };
	usbip_busid candidates[] = { ids[0], ids[1] };
	usbip_claim_res res = { .status = USBIP_BUSY };
	usbip_claim_ok *ok_res = &res.usbip_claim_res_u.claim;
	struct claim_device d;
	struct failure f;

	res.usbip_claim_res_u.holder = (usbip_holder){ name, 720 };
	claim_refused(&f, &res, "target", "2-1");
	ok(f.code == FAILURE_BUSY && strstr(f.text, "other") &&
	   strstr(f.text, "12 min"), "%s", f.text);
	res.status = USBIP_AMBIGUOUS;
	res.usbip_claim_res_u.candidates.candidates_len = 2;
	res.usbip_claim_res_u.candidates.candidates_val = candidates;
	claim_refused(&f, &res, "target", "46f4:0001");
	ok(f.code == FAILURE_NOT_FOUND && strstr(f.text, "3-1 3-2"), "%s", f.text);
	res.status = USBIP_NO_PERMISSION;
	claim_refused(&f, &res, "target", "2-1");
	ok(f.code == FAILURE_PERMISSION && strstr(f.text, "exports"), "%s", f.text);

	memset(&res, 0, sizeof(res));
	memset(&d, 0, sizeof(d));
	ok_res->busid = ids[0];
	ok_res->session = 1;
	ok_res->lease = 30;
	ok_res->window_urbs = 1;
	ok_res->data_max = 0xffffffff;
	ok(claim_learn(&d, ok_res) == -EPROTO, "no device without a speed");
	ok_res->speed = USBIP_SPEED_HIGH;
	ok(!claim_learn(&d, ok_res) && d.window.data_max == USBIP_DATA_MAX,
	   "what is too large is cut");
	answer_descriptors_deinit(&d.descriptors);
	ok_res->session = 0;
	ok(claim_learn(&d, ok_res) == -EPROTO, "no session 0");
	answer_descriptors_deinit(&d.descriptors);
}

/* Configurations of 9 bytes each, or what is told for them, and a BOS of 5. */
static void test_descriptors(void)
{
	static const struct {
		const char *what;
		uint8_t n_configs, len, bytes[32];
		int result;
		uint8_t n, bos;
	} cases[] = {
		{ "one configuration", 1, 9, { 9, 2, 9, 0 }, 0, 1, 0 },
		{ "two", 2, 18, { 9, 2, 9, 0, [9] = 9, 2, 9, 0 }, 0, 2, 0 },
		{ "and BOS", 1, 14, { 9, 2, 9, 0, [9] = 5, 15, 5, 0 }, 0, 1, 5 },
		{ "one that the device did not give", 2, 14,
		  { 9, 2, 9, 0, [9] = 5, 15, 5, 0 }, 0, 1, 5 },
		{ "none of them", 1, 5, { 5, 15, 5, 0 }, -EPROTO, 0, 0 },
		{ "nothing", 1, 0, { 0 }, -EPROTO, 0, 0 },
		{ "cut off", 1, 8, { 9, 2, 9, 0 }, -EPROTO, 0, 0 },
		{ "of no length", 1, 9, { 9, 2, 0, 0 }, -EPROTO, 0, 0 },
		{ "half a header", 1, 12, { 9, 2, 9, 0, [9] = 5, 15, 5 },
		  -EPROTO, 1, 0 },
		{ "something behind it", 1, 14, { 9, 2, 9, 0, [9] = 5, 3, 5 },
		  -EPROTO, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[18 + 32] = { 18, 1 };
		usbip_claim_ok claim;
		struct claim_device d;
		int r;

		memset(&claim, 0, sizeof(claim));
		memset(&d, 0, sizeof(d));
		bytes[17] = cases[i].n_configs;
		memcpy(claim.device, bytes, 18);
		memcpy(d.descriptors.device, bytes, 18);
		memcpy(bytes + 18, cases[i].bytes, 32);
		r = claim_take_descriptors(&d, bytes, 18u + cases[i].len);
		ok(claim_is_cut(&claim) && r == cases[i].result &&
		   d.descriptors.n_configs == cases[i].n &&
		   d.descriptors.bos.len == cases[i].bos &&
		   (!cases[i].bos || d.descriptors.bos.bytes[1] == 15),
		   "descriptors: %s", cases[i].what);
		answer_descriptors_deinit(&d.descriptors);
	}
}

static void test_interim(void)
{
	static const uint8_t results[] = { 0, 0, 0, USBIP_IN_PROGRESS, 0 };
	static const uint8_t others[] = { 0, 0, 1, USBIP_IN_PROGRESS };

	ok(status_is_interim(results, 4) && status_is_interim(results, 5) &&
	   !status_is_interim(results, 3) && !status_is_interim(others, 4),
	   "IN_PROGRESS is not the last word");
}

static void test_names(void)
{
	static const uint8_t device[18] = { [14] = 1, [15] = 2 };
	static const uint8_t product[8] = { 0x80, 6, 2, 3, 9, 4, 255, 0 };
	static const uint8_t serial[8] = { 0x80, 6, 3, 3, 9, 4, 255, 0 };
	static const struct {
		uint8_t len, bytes[16];
		const char *text;
	} cases[] = {
		{ 8, { 8, 3, 'a', 0, 0xe4, 0, 0xac, 0x20 }, "a\xc3\xa4\xe2\x82\xac" },
		{ 6, { 6, 3, 0x3d, 0xd8, 0x00, 0xde }, "\xf0\x9f\x98\x80" },
		{ 6, { 6, 3, 0x3d, 0xd8, 'a', 0 }, "?a" },
		{ 6, { 6, 3, 0x1b, 0, 0x85, 0 }, "??" },
		{ 5, { 6, 3, 'a', 0, 'b', 0 }, "a" },
		{ 6, { 4, 3, 'a', 0, 'b', 0 }, "a" },
		{ 2, { 2, 3 }, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct names names = { .product = "before" };

		names_learn(&names, device, product, cases[i].bytes, cases[i].len);
		ok(!strcmp(names.product, cases[i].text), "string %zu: %s", i,
		   names.product);
	}
	struct names names = { .product = "before" };
	names_learn(&names, device, serial, cases[0].bytes, 8);
	names_learn(&names, device, product, (const uint8_t[2]){ 4, 9 }, 2);
	names_learn(&names, device, product, (const uint8_t[1]){ 4 }, 1);
	ok(!strcmp(names.product, "before") && !*names.maker,
	   "what is no name is none");
}

static void test_text(void)
{
	static const struct {
		const char *in, *out;
		size_t size;
	} clean[] = {
		{ "plain", "plain", 32 },
		{ "esc\033[2J", "esc?[2J", 32 },
		{ "l\xc3\xa4nge", "l\xc3\xa4nge", 32 },
		{ "l\xc3\xa4nge", "l", 3 },
		{ "\xc0\xaf\xff", "???", 32 },
		{ "\xed\xa0\x80", "???", 32 },
		{ "\xc2\x9b" "31m", "??31m", 32 },
		{ "cut\xe2\x82", "cut??", 32 },
	};
	char out[64];

	for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++)
		ok(!strcmp(text_clean(clean[i].in, out, clean[i].size),
			   clean[i].out), "clean %zu", i);
	ok(!strcmp(text_device_name("QEMU", "QEMU Stick", out, 64), "QEMU Stick") &&
	   !strcmp(text_device_name("ACME", "Stick", out, 64), "ACME Stick") &&
	   !strcmp(text_device_name("ACME", "", out, 64), "ACME") &&
	   !strcmp(text_device_name("", "", out, 64), ""), "names");
	ok(!strcmp(text_duration(119, out, 64), "119 s") &&
	   !strcmp(text_duration(120, out, 64), "2 min") &&
	   !strcmp(text_duration(7200, out, 64), "2 h") &&
	   !strcmp(text_duration(172800, out, 64), "2 d"), "durations");
	ok(!strcmp(text_bytes(999, out, 64), "999 B") &&
	   !strcmp(text_bytes(1000, out, 64), "1.0 kB") &&
	   !strcmp(text_bytes(999960, out, 64), "1.0 MB") &&
	   !strcmp(text_bytes(12345678901, out, 64), "12.3 GB"), "bytes");
}

/* What log_info() writes of a text. */
static const char *logged(const char *text, char *line, size_t size)
{
	int kept = dup(STDERR_FILENO), fds[2];
	ssize_t n = 0;

	if (kept < 0 || pipe(fds) || dup2(fds[1], STDERR_FILENO) < 0)
		return "";
	log_open("me", false);
	log_info("%s", text);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(fds[1]);
	n = read(fds[0], line, size - 1);
	close(fds[0]);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void test_log(void)
{
	char line[64];

	unsetenv("JOURNAL_STREAM");
	ok(!strcmp(logged("l\xc3\xa4nge", line, sizeof(line)),
		   "me: l\xc3\xa4nge\n"), "UTF-8 is logged");
	ok(!strcmp(logged("a\nb\033\xc2\x9b\xff", line, sizeof(line)),
		   "me: a?b????\n"), "lines and escapes are not");
}

int main(void)
{
	test_transfers();
	test_calls();
	test_rpc();
	test_claim();
	test_descriptors();
	test_interim();
	test_names();
	test_text();
	test_log();
	return tap_done();
}
