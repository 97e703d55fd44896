/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcmsg - the headers of calls and replies (RFC 5531, section 9), taken
 * apart in memory: no I/O, no allocation, every length checked.
 *
 * libtirpc's own routines copy credentials to areas of 400 bytes, take a
 * wrong RPC version for a broken message, and write to standard output.
 */
#ifndef USBIP_COMMON_RPCMSG_H
#define USBIP_COMMON_RPCMSG_H

#include <stddef.h>
#include <stdint.h>
#include <rpc/rpc.h>

/* Bounds of AUTH_SYS (RFC 5531, appendix A). */
#define RPCMSG_MACHINE_MAX 255
#define RPCMSG_GIDS_MAX 16

/* A credential or verifier, still in the message. */
struct rpcmsg_auth {
	uint32_t flavor;
	uint32_t len;		/* at most MAX_AUTH_BYTES */
	const uint8_t *body;
};

struct rpcmsg_call {
	uint32_t xid, prog, vers, proc;
	struct rpcmsg_auth cred, verf;
	size_t args;		/* the arguments begin here */
};

/* What an AUTH_SYS credential says. It is said, not shown. */
struct rpcmsg_sys {
	char machine[RPCMSG_MACHINE_MAX + 1];
	uint32_t uid, gid;
	uint32_t gids[RPCMSG_GIDS_MAX];
	unsigned int n_gids;
};

struct rpcmsg_reply {
	uint32_t xid;
	struct rpcmsg_auth verf;	/* all zero in one that is denied */
	struct rpc_err err;	/* as clnt_geterr() has it */
	size_t results;		/* begin here, with RPC_SUCCESS */
};

/* parse_call(): a call of another version of RPC; xid is set, nothing else. */
#define RPCMSG_E_VERSION 1

/* 0, RPCMSG_E_VERSION, or -EBADMSG: this is no call. */
int rpcmsg_parse_call(struct rpcmsg_call *call, const void *data, size_t len);
/* 0 or -EBADMSG. */
int rpcmsg_parse_sys(struct rpcmsg_sys *sys, const struct rpcmsg_auth *cred);
/* 0 or -EBADMSG: this is no reply, or one that can not be understood. */
int rpcmsg_parse_reply(struct rpcmsg_reply *reply, const void *data,
		       size_t len);

#endif
