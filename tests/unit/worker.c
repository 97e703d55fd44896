// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker: jobs in order, and what becomes of them when it is given up while
 * one hangs.
 */
#include <event2/event.h>
#include <semaphore.h>
#include <stdlib.h>

#include "server/worker.h"
#include "tests/tap.h"

struct task {
	int number;
	sem_t *begun, *go;	/* it hangs between the two, if not NULL */
};

static sem_t dropped;
static int n_done, last_done;

static int carry_out(void *arg)
{
	struct task *task = arg;

	if (task->begun) {
		sem_post(task->begun);
		sem_wait(task->go);
	}
	return -task->number;
}

static void done(int r, void *arg)
{
	struct task *task = arg;

	n_done++;
	last_done = r;
	free(task);
}

static void drop(void *task)
{
	free(task);
	sem_post(&dropped);
}

static void run(struct worker *w, int number, sem_t *begun, sem_t *go)
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		abort();
	task->number = number;
	task->begun = begun;
	task->go = go;
	if (worker_run(w, carry_out, done, task))
		abort();
}

static int n_dropped(void)
{
	int n;

	sem_getvalue(&dropped, &n);
	return n;
}

static void test_jobs(struct event_base *base)
{
	struct worker *w;

	if (worker_new(&w, base))
		abort();
	for (int i = 1; i <= 3; i++)
		run(w, i, NULL, NULL);
	while (n_done < 3)
		event_base_loop(base, EVLOOP_ONCE);
	ok(last_done == -3, "three jobs, in order");
	worker_abandon(w, drop);
	ok(n_dropped() == 0, "given up without a job: nothing is dropped");
}

static void test_abandon(struct event_base *base)
{
	sem_t begun, go;
	struct worker *w;

	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	n_done = 0;
	if (worker_new(&w, base))
		abort();
	run(w, 1, &begun, &go);
	run(w, 2, NULL, NULL);
	sem_wait(&begun);
	worker_abandon(w, drop);
	ok(n_dropped() == 1, "given up while one hangs: the other is dropped");
	sem_wait(&dropped);
	sem_post(&go);
	sem_wait(&dropped);
	ok(n_done == 0, "the one that hung is dropped when it ends");
	event_base_loop(base, EVLOOP_NONBLOCK);
	ok(n_done == 0, "and none is done");
	sem_destroy(&begun);
	sem_destroy(&go);
}

int main(void)
{
	struct event_base *base = event_base_new();

	sem_init(&dropped, 0, 0);
	test_jobs(base);
	test_abandon(base);
	event_base_free(base);
	return tap_done();
}
