// SPDX-License-Identifier: GPL-2.0-or-later
/* Headers of calls and replies: good ones, each cut short, and bad ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "common/rpcmsg.h"
#include "tests/tap.h"

#define WORDS(...) { sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, { __VA_ARGS__ } }

struct words {
	size_t n;
	uint32_t word[32];
};

/* The words as bytes, in memory of exactly len bytes. */
static void *wire(const struct words *w, size_t len)
{
	uint8_t *data = malloc(len ? len : 1), all[sizeof(w->word)];

	for (size_t i = 0; i < w->n; i++) {
		uint32_t word = htonl(w->word[i]);

		memcpy(all + 4 * i, &word, 4);
	}
	memcpy(data, all, len);
	return data;
}

/* A call with AUTH_SYS: stamp 9, "ab", uid 7, gid 8, gids 1 and 2. */
static const struct words call_sys = WORDS(0x1234, CALL, 2, 100, 3, 5,
	AUTH_SYS, 32, 9, 2, 0x61620000, 7, 8, 2, 1, 2, AUTH_NONE, 0, 0xaaaa);

static void test_call(void)
{
	struct rpcmsg_call call;
	struct rpcmsg_sys sys;
	void *data = wire(&call_sys, 4 * call_sys.n);
	unsigned int bad = 0;

	ok(!rpcmsg_parse_call(&call, data, 4 * call_sys.n), "a call");
	ok(call.xid == 0x1234 && call.prog == 100 && call.vers == 3 && call.proc == 5, "its words");
	ok(call.args == 4 * (call_sys.n - 1), "where its arguments begin");
	ok(!rpcmsg_parse_sys(&sys, &call.cred) && sys.uid == 7 && sys.gid == 8 &&
	   sys.n_gids == 2 && sys.gids[0] == 1 && sys.gids[1] == 2 &&
	   !strcmp(sys.machine, "ab"), "its AUTH_SYS");
	free(data);
	for (size_t len = 0; len < 4 * (call_sys.n - 1); len++) {
		data = wire(&call_sys, len);
		bad += rpcmsg_parse_call(&call, data, len) != -EBADMSG;
		free(data);
	}
	ok(!bad, "cut short anywhere, it is no call");
}

static void test_bad_calls(void)
{
	static const struct {
		const char *name;
		int result;
		struct words words;
	} calls[] = {
		{ "a reply", -EBADMSG, WORDS(1, REPLY, 2, 1, 1, 1, 0, 0, 0, 0) },
		{ "version 3 of RPC", RPCMSG_E_VERSION, WORDS(1, CALL, 3) },
		{ "a credential of 404 bytes", -EBADMSG, WORDS(1, CALL, 2, 1, 1, 1, 0, 404, 0, 0) },
		{ "a credential of 2^32 - 1 bytes", -EBADMSG,
		  WORDS(1, CALL, 2, 1, 1, 1, 0, 0xffffffff, 0, 0, 0) },
		{ "a verifier that is not there", -EBADMSG, WORDS(1, CALL, 2, 1, 1, 1, 0, 0, 0, 4) },
		{ "a credential with padding", 0, WORDS(1, CALL, 2, 1, 1, 1, 0, 1, 0, 0, 0) },
	};
	struct rpcmsg_call call;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		void *data = wire(&calls[i].words, 4 * calls[i].words.n);

		ok(rpcmsg_parse_call(&call, data, 4 * calls[i].words.n) == calls[i].result,
		   "%s", calls[i].name);
		free(data);
	}
}

static void test_bad_sys(void)
{
	static const struct {
		const char *name;
		struct words words;
	} creds[] = {
		{ "a stamp and nothing else", WORDS(0) },
		{ "a name beyond its bound", WORDS(0, 256, 0, 0, 0) },
		{ "a name that is not there", WORDS(0, 8, 0x61616161) },
		{ "17 groups", WORDS(0, 0, 1, 1, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
				     13, 14, 15, 16, 17) },
		{ "groups that are not there", WORDS(0, 0, 1, 1, 2, 1) },
	};
	struct rpcmsg_sys sys;

	for (size_t i = 0; i < sizeof(creds) / sizeof(creds[0]); i++) {
		struct rpcmsg_auth cred = { .flavor = AUTH_SYS, .len = 4 * creds[i].words.n };
		void *data = wire(&creds[i].words, cred.len);

		cred.body = data;
		ok(rpcmsg_parse_sys(&sys, &cred) == -EBADMSG, "AUTH_SYS: %s", creds[i].name);
		free(data);
	}
}

/* Too long, though all of it is there. */
static void test_long(void)
{
	static const struct words head = WORDS(1, CALL, 2, 1, 1, 1, 0, 404);
	uint8_t call_data[8 * 4 + 404 + 8] = { 0 }, cred_data[8 + 256 + 12] = { 0 };
	struct rpcmsg_auth cred = { .flavor = AUTH_SYS, .len = sizeof(cred_data) };
	struct rpcmsg_call call;
	struct rpcmsg_sys sys;
	void *data = wire(&head, 4 * head.n);

	memcpy(call_data, data, 4 * head.n);
	free(data);
	ok(rpcmsg_parse_call(&call, call_data, sizeof(call_data)) == -EBADMSG,
	   "a credential of 404 bytes that is there");
	call_data[4 * 7 + 2] = 400 >> 8;
	call_data[4 * 7 + 3] = 400 & 255;
	ok(rpcmsg_parse_call(&call, call_data, sizeof(call_data)) == 0, "one of 400 bytes");
	cred_data[6] = 1;
	cred.body = cred_data;
	ok(rpcmsg_parse_sys(&sys, &cred) == -EBADMSG, "a name of 256 bytes that is there");
	cred_data[6] = 0;
	cred_data[7] = 255;
	ok(rpcmsg_parse_sys(&sys, &cred) == 0, "one of 255 bytes");
}

static void test_replies(void)
{
	static const struct {
		const char *name;
		int result;
		enum clnt_stat status;
		size_t results;
		struct words words;
	} replies[] = {
		{ "success", 0, RPC_SUCCESS, 24, WORDS(1, REPLY, 0, 0, 0, 0, 0xbeef) },
		{ "success with a verifier", 0, RPC_SUCCESS, 28, WORDS(1, REPLY, 0, 9, 3, 0, 0) },
		{ "program unavailable", 0, RPC_PROGUNAVAIL, 24, WORDS(1, REPLY, 0, 0, 0, 1) },
		{ "version mismatch", 0, RPC_PROGVERSMISMATCH, 32, WORDS(1, REPLY, 0, 0, 0, 2, 1, 1) },
		{ "version mismatch without range", -EBADMSG, 0, 0, WORDS(1, REPLY, 0, 0, 0, 2, 1) },
		{ "procedure unavailable", 0, RPC_PROCUNAVAIL, 24, WORDS(1, REPLY, 0, 0, 0, 3) },
		{ "garbage arguments", 0, RPC_CANTDECODEARGS, 24, WORDS(1, REPLY, 0, 0, 0, 4) },
		{ "system error", 0, RPC_SYSTEMERROR, 24, WORDS(1, REPLY, 0, 0, 0, 5) },
		{ "unknown status", -EBADMSG, 0, 0, WORDS(1, REPLY, 0, 0, 0, 6) },
		{ "RPC mismatch", 0, RPC_VERSMISMATCH, 24, WORDS(1, REPLY, 1, 0, 2, 2) },
		{ "authentication refused", 0, RPC_AUTHERROR, 20, WORDS(1, REPLY, 1, 1, 5) },
		{ "unknown denial", -EBADMSG, 0, 0, WORDS(1, REPLY, 1, 2, 5) },
		{ "neither accepted nor denied", -EBADMSG, 0, 0, WORDS(1, REPLY, 2, 0, 0, 0) },
		{ "a call", -EBADMSG, 0, 0, WORDS(1, CALL, 0, 0, 0, 0) },
		{ "a verifier beyond its bound", -EBADMSG, 0, 0, WORDS(1, REPLY, 0, 0, 404, 0) },
		{ "nothing", -EBADMSG, 0, 0, { 0, { 0 } } },
	};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		size_t len = 4 * replies[i].words.n;
		void *data = wire(&replies[i].words, len);
		struct rpcmsg_reply reply;
		int r = rpcmsg_parse_reply(&reply, data, len);

		ok(r == replies[i].result &&
		   (r || (reply.err.re_status == replies[i].status &&
			  reply.results == replies[i].results && reply.xid == 1)),
		   "reply: %s", replies[i].name);
		free(data);
	}
}

int main(void)
{
	test_call();
	test_bad_calls();
	test_bad_sys();
	test_long();
	test_replies();
	return tap_done();
}
