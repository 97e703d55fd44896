// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker - a thread for blocking work. Owns the thread and two queues: jobs
 * to do, which the thread takes from, and jobs done, which the loop takes
 * from after an eventfd said so. Nothing else is shared between the two.
 * An abandoned worker is its thread's alone, which frees it.
 */
#include "server/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "common/cleanup.h"

struct job {
	STAILQ_ENTRY(job) link;
	worker_fn fn;
	worker_done_fn done;
	void *arg;
	int r;
};

STAILQ_HEAD(jobs, job);

struct worker {
	pthread_t thread;
	bool started;
	struct event *event;
	int fd;			/* eventfd: something is in `finished` */
	bool in_done, dead;		/* freed from a done: run_finished()
					 * frees it when that is over */

	pthread_mutex_t lock;
	/* under lock: */
	pthread_cond_t wake;
	struct jobs waiting, finished;
	bool running, stop;
	void (*drop)(void *arg);	/* abandoned */
};

static void free_jobs(struct worker *w, struct jobs *jobs)
{
	struct job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		if (w->drop)
			w->drop(job->arg);
		free(job);
	}
}

static void free_worker(struct worker *w)
{
	if (w->event)
		event_free(w->event);
	if (w->fd >= 0)
		close(w->fd);
	free_jobs(w, &w->waiting);
	free_jobs(w, &w->finished);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* ---- in the thread ------------------------------------------------------ */

/* Under lock. The next job; NULL: there will be none. */
static struct job *await_job(struct worker *w)
{
	struct job *job;

	while (!w->stop && STAILQ_EMPTY(&w->waiting))
		pthread_cond_wait(&w->wake, &w->lock);
	if (w->stop)
		return NULL;
	job = STAILQ_FIRST(&w->waiting);
	STAILQ_REMOVE_HEAD(&w->waiting, link);
	return job;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *job;

	pthread_mutex_lock(&w->lock);
	while ((job = await_job(w))) {
		w->running = true;
		pthread_mutex_unlock(&w->lock);
		job->r = job->fn(job->arg);
		pthread_mutex_lock(&w->lock);
		w->running = false;
		STAILQ_INSERT_TAIL(&w->finished, job, link);
		if (w->drop) {
			pthread_mutex_unlock(&w->lock);
			free_worker(w);
			return NULL;
		}
		eventfd_write(w->fd, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- in the loop -------------------------------------------------------- */

static struct job *next_finished(struct worker *w)
{
	struct job *job;

	pthread_mutex_lock(&w->lock);
	job = STAILQ_FIRST(&w->finished);
	if (job)
		STAILQ_REMOVE_HEAD(&w->finished, link);
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void run_finished(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct job *job;
	eventfd_t n;

	eventfd_read(fd, &n);
	w->in_done = true;
	while (!w->dead && (job = next_finished(w))) {
		job->done(job->r, job->arg);
		free(job);
	}
	w->in_done = false;
	if (w->dead)
		free_worker(w);
}

CLEANUP_DEFINE(struct worker, worker_free);

int worker_new(struct worker **workerp, struct event_base *base)
{
	_cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));
	sigset_t all, before;
	int r;

	if (!w)
		return -ENOMEM;
	STAILQ_INIT(&w->waiting);
	STAILQ_INIT(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, run_finished,
			     w);
	if (!w->event || event_add(w->event, NULL))
		return -ENOMEM;

	sigfillset(&all);		/* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	w->started = true;
	*workerp = steal_ptr(w);
	return 0;
}

int worker_run(struct worker *w, worker_fn fn, worker_done_fn done, void *arg)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->done = done;
	job->arg = arg;
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->waiting, job, link);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	if (w->in_done)
		w->dead = true;
	else
		free_worker(w);
	return NULL;
}

struct worker *worker_abandon(struct worker *w, void (*drop)(void *arg))
{
	bool running;

	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	w->drop = drop;
	running = w->running;
	free_jobs(w, &w->waiting);
	free_jobs(w, &w->finished);
	event_free(w->event);	/* the loop's; the rest is the thread's now */
	w->event = NULL;
	if (running)
		pthread_detach(w->thread);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (!running) {
		pthread_join(w->thread, NULL);
		free_worker(w);
	}
	return NULL;
}
