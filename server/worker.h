/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker - a thread that carries out blocking work, one job after the other,
 * and tells the loop when each is done.
 */
#ifndef USBIP_SERVER_WORKER_H
#define USBIP_SERVER_WORKER_H

struct event_base;
struct worker;

typedef int (*worker_fn)(void *arg);		/* in the thread */
typedef void (*worker_done_fn)(int r, void *arg);	/* in the loop */

int worker_new(struct worker **workerp, struct event_base *base);
/* -ENOMEM, and done is not called. */
int worker_run(struct worker *w, worker_fn fn, worker_done_fn done, void *arg);
/* Waits for the job that runs; done of it and of what waits is not called.
 * May be called from a done. */
struct worker *worker_free(struct worker *w);
/*
 * Waits for nothing: a job that runs is left to itself, for what can not be
 * ended and may take long, as questions to the name service. drop(arg) frees
 * what each job that is not done has: in here, or for the one that runs in the
 * thread, when it ends. Not from a done.
 */
struct worker *worker_abandon(struct worker *w, void (*drop)(void *arg));

#endif
