/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * camera-pattern.h - what is in the frames of the fake camera, and where each
 * word of it belongs: server/backend_fake_camera.c.
 */
#ifndef USBIP_TESTS_CAMERA_PATTERN_H
#define USBIP_TESTS_CAMERA_PATTERN_H

#include <stdint.h>

#define CAMERA_WIDTH 160
#define CAMERA_HEIGHT 120
#define CAMERA_FRAME (CAMERA_WIDTH * CAMERA_HEIGHT * 2)
#define CAMERA_WORDS (CAMERA_FRAME / 4)
#define CAMERA_PACKETS 100		/* of a frame, a millisecond each */
#define CAMERA_INVERSE 244002641u

/* The frame that a word is of; *m: which word of it. */
static inline uint32_t camera_frame(const uint8_t *word, uint32_t *m)
{
	uint32_t n = word[0] | word[1] << 8 | word[2] << 16 |
		     (uint32_t)word[3] << 24;

	n = n * CAMERA_INVERSE - 1;
	*m = n % CAMERA_WORDS;
	return n / CAMERA_WORDS;
}

#endif
