/* SPDX-License-Identifier: BSL-1.0 */
/* Frames with a personality routine of our own: trio_guard_personality, in throw_site.cpp.
 *
 * The unwinder passes a stack twice: first only looking for a handler, then unwinding. In the first
 * pass it asks the personality routine of each frame from the throw outwards, so ours is asked if
 * nobody further in will catch the exception, and while the whole stack still stands.
 *
 * void NAME(void (*call)(void*), void* argument) calls call(argument). NAME_return is the address
 * that is on the stack meanwhile.
 */
	.text

#if defined(__x86_64__)
	.macro guarded_frame name
	.globl	\name
	.type	\name, @function
	.globl	\name\()_return
	.hidden	\name\()_return
	.p2align 4
\name:
	.cfi_startproc
	.cfi_personality 0x9b, DW.ref.trio_guard_personality
#ifdef __CET__
	endbr64
#endif
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
\name\()_return:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	\name, .-\name
	.endm
#elif defined(__aarch64__)
	.macro guarded_frame name
	.globl	\name
	.type	\name, %function
	.globl	\name\()_return
	.hidden	\name\()_return
	.p2align 4
\name:
	.cfi_startproc
	.cfi_personality 0x9b, DW.ref.trio_guard_personality
	hint	#34			/* bti c */
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_offset 29, -16
	.cfi_offset 30, -8
	mov	x29, sp
	mov	x2, x0
	mov	x0, x1
	blr	x2
\name\()_return:
	ldp	x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore 29
	.cfi_restore 30
	ret
	.cfi_endproc
	.size	\name, .-\name
	.endm
#else
#error "trio's frames are written for x86-64 and aarch64"
#endif

	guarded_frame trio_guarded_call
	guarded_frame trio_guarded_task

/* The unwind tables reach the personality routine through a pointer, as the compiler's own do: it
 * may live in another module than the tables. */
	.hidden	DW.ref.trio_guard_personality
	.weak	DW.ref.trio_guard_personality
	.section .data.rel.local.DW.ref.trio_guard_personality,"awG",%progbits,DW.ref.trio_guard_personality,comdat
	.p2align 3
	.type	DW.ref.trio_guard_personality, %object
	.size	DW.ref.trio_guard_personality, 8
DW.ref.trio_guard_personality:
#ifdef __aarch64__
	.xword	trio_guard_personality
#else
	.quad	trio_guard_personality
#endif

	.section .note.GNU-stack,"",%progbits
