// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay - run a fuzz target on its corpus, one TAP test for each input, or
 * on the files that are named.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/tap.h"

static void replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");
	uint8_t *exact;
	size_t size;

	if (!file) {
		ok(0, "%s: %s", path, strerror(errno));
		return;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	/* Of the exact size, for the sanitizers. */
	exact = malloc(size ? size : 1);
	memcpy(exact, data, size);
	ok(LLVMFuzzerTestOneInput(exact, size) == 0, "%s", path);
	free(exact);
}

/* corpus/NAME for a program .../fuzz-NAME */
static void replay_corpus(const char *program)
{
	const char *top = getenv("top_srcdir");
	const char *name = strstr(program, "fuzz-");
	char dir[512], path[1024];
	struct dirent **entries;
	int n;

	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top ? top : ".",
		 name ? name + strlen("fuzz-") : program);
	n = scandir(dir, &entries, NULL, alphasort);
	ok(n > 2, "%s has inputs", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			replay(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	if (argc == 1)
		replay_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return tap_done();
}
