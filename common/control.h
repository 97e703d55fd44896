/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control - a socket by which a running program is asked and told things on
 * its own machine: one request and one answer for each connection, each a JSON
 * object on a line. An answer may take its time.
 *
 * Its folder is made for its owner alone, and who asks is root or that owner.
 */
#ifndef USBIP_COMMON_CONTROL_H
#define USBIP_COMMON_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

struct control;
struct control_peer;			/* who has asked */
struct event_base;

struct control_config {
	struct event_base *base;
	const char *path;		/* of the socket */
	/* Answer with control_reply(), perhaps from in here; what is not there
	 * is answered by an error. */
	void (*asked)(struct control_peer *peer, const json_t *request,
		      void *user);
	void *user;
};

/*
 * Takes the place of a socket that a dead program has left behind. -EBUSY: a
 * program answers there; other -errno: there can be no socket.
 */
int control_new(struct control **controlp, const struct control_config *config);
/* Nobody new can ask. */
void control_withdraw(struct control *control);
/* Closes; who waits gets no answer. NULL is fine. */
struct control *control_free(struct control *control);

/* Consumes the answer and the peer. NULL: there was no memory for one. */
void control_reply(struct control_peer *peer, json_t *answer);
/* What the peer waits for, to be given to free() with it. */
void control_keep(struct control_peer *peer, void *what);
void *control_kept(const struct control_peer *peer);
/* Who was asked for and has no answer yet: the first one (NULL), the next. */
struct control_peer *control_waiting(struct control *control,
				     struct control_peer *peer);

/*
 * The asking side; waits. Consumes the request. *replyp is an object that the
 * caller owns. -ENOENT or -ECONNREFUSED: no program is there. -ETIMEDOUT.
 * -EPROTO: it answered nonsense.
 */
int control_ask(const char *path, json_t *request, unsigned int timeout_ms,
		json_t **replyp);
/* Who listens there: 0, it can not be found out. */
pid_t control_owner(const char *path);

#endif
