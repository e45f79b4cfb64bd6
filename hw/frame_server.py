"""Requests to an accelerator, carried out once each and answered (`macsmith.model.link`)."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.frame import FRAME_WORDS
from macsmith.model.accelerator import REGISTERS, WORD_BITS
from macsmith.model.link import ANSWER, MAX_PAYLOAD_WORDS, PATIENCE_CYCLES, Operation

__all__ = ["FrameServer"]

_CONTROL = next(register.address for register in REGISTERS if register.name == "CONTROL")
_WORD_INDEX = range(FRAME_WORDS)


class FrameServer(Block):
    """Frames in a receiver's memory to registers and streams, and answers to a sender's memory.

    Members
    -------
    frame_valid, frame_words, frame_taken : In(1), In, Out(1)
    frame_address, frame_word : Out, In(32)
        As of `macsmith.hw.frame.FrameReceiver`.
    send, send_words, send_busy : Out(1), Out, In(1)
    answer_enable, answer_address, answer_word : Out
        As of `macsmith.hw.frame.FrameSender`.
    push_valid, push_ready, push_data : Out(1), In(1), Out(32)
    pull_valid, pull_ready, pull_data : In(1), Out(1), In(32)
        Packets and results of the accelerator.
    register_address, register_write, register_read, register_data_o, register_data_i
        Its registers; the data are named as they are there.
    """

    frame_valid: Signal
    frame_words: Signal
    frame_taken: Signal
    frame_address: Signal
    frame_word: Signal
    send: Signal
    send_words: Signal
    send_busy: Signal
    answer_enable: Signal
    answer_address: Signal
    answer_word: Signal
    push_valid: Signal
    push_ready: Signal
    push_data: Signal
    pull_valid: Signal
    pull_ready: Signal
    pull_data: Signal
    register_address: Signal
    register_write: Signal
    register_read: Signal
    register_data_i: Signal
    register_data_o: Signal

    def __init__(self) -> None:
        super().__init__(
            "frame_server",
            {
                "frame_valid": In(1),
                "frame_words": In(_WORD_INDEX),
                "frame_taken": Out(1),
                "frame_address": Out(_WORD_INDEX),
                "frame_word": In(WORD_BITS),
                "send": Out(1),
                "send_words": Out(_WORD_INDEX),
                "send_busy": In(1),
                "answer_enable": Out(1),
                "answer_address": Out(_WORD_INDEX),
                "answer_word": Out(WORD_BITS),
                "push_valid": Out(1),
                "push_ready": In(1),
                "push_data": Out(WORD_BITS),
                "pull_valid": In(1),
                "pull_ready": Out(1),
                "pull_data": In(WORD_BITS),
                "register_address": Out(6),
                "register_write": Out(1),
                "register_read": Out(1),
                "register_data_i": Out(WORD_BITS),
                "register_data_o": In(WORD_BITS),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        session, sequence, operation = Signal(16), Signal(8), Signal(8)
        # of the request at hand; `last_` of the last one that was carried out
        last_session, last_sequence = Signal(16), Signal(8)
        has_answer = Signal()  # the answer to that one is in the sender's memory
        at = Signal(_WORD_INDEX)  # of the request's words
        left = Signal(_WORD_INDEX)
        count = Signal(_WORD_INDEX)  # words of payload in the answer
        patience = Signal(range(PATIENCE_CYCLES + 1))
        word = self.frame_word

        def need_words(words: int) -> Any:
            return self.frame_words == words

        def is_too_many(words: Any) -> Any:
            return (words[8:] != 0) | (words[:8] > MAX_PAYLOAD_WORDS)

        def answer(payload_words: Any, *, refused: bool = False) -> None:
            code = Const(Operation.REFUSED | ANSWER, 8) if refused else operation | ANSWER
            m.d.comb += [
                self.answer_enable.eq(1),
                self.answer_address.eq(0),
                self.answer_word.eq(Cat(session, sequence, code)),
            ]
            m.d.sync += [
                self.send_words.eq(payload_words + 1),
                has_answer.eq(0 if refused else 1),
            ]
            m.next = "send"

        def put(index: Any, value: Any) -> None:
            m.d.comb += [
                self.answer_enable.eq(1),
                self.answer_address.eq(index + 1),
                self.answer_word.eq(value),
            ]

        m.d.comb += [self.frame_address.eq(at), self.push_data.eq(word)]
        with m.FSM(name="serve"):
            with m.State("wait"):
                m.d.sync += at.eq(0)
                with m.If(self.frame_valid):
                    m.next = "fetch"
            with m.State("fetch"):
                m.d.sync += at.eq(1)
                m.next = "header"
            with m.State("header"):
                m.d.sync += [
                    session.eq(word[:16]),
                    sequence.eq(word[16:24]),
                    operation.eq(word[24:]),
                    at.eq(2),
                ]
                m.next = "check"
            with m.State("check"):
                # `word` is the first word of the payload, the address that of the second
                is_next = (session == last_session) & (sequence == (last_sequence + 1)[:8])
                is_same = (session == last_session) & (sequence == last_sequence)
                m.d.sync += [count.eq(0), patience.eq(PATIENCE_CYCLES)]
                with m.If((operation == Operation.HELLO) & (session != 0)):
                    m.d.sync += [
                        last_session.eq(session),
                        last_sequence.eq(sequence),
                        self.register_address.eq(_CONTROL),
                    ]
                    m.next = "restart"
                with m.Elif((session == 0) | ~(is_next | (is_same & has_answer))):
                    answer(0, refused=True)
                with m.Elif(is_same):
                    m.next = "send"
                with m.Else():
                    m.d.sync += last_sequence.eq(sequence)
                    with m.Switch(operation):
                        with m.Case(Operation.READ):
                            m.d.sync += [
                                self.register_address.eq(word[:6]),
                                left.eq(word[16:]),
                            ]
                            m.next = "read"
                            with m.If(
                                ~need_words(2)
                                | (word[24:] != 0)
                                | (word[16:24] > MAX_PAYLOAD_WORDS)
                            ):
                                answer(0, refused=True)
                        with m.Case(Operation.WRITE):
                            m.d.sync += self.register_address.eq(word[:6])
                            m.next = "write"
                            with m.If(~need_words(3)):
                                answer(0, refused=True)
                        with m.Case(Operation.PUSH):
                            m.d.sync += [at.eq(1), left.eq(self.frame_words - 1)]
                            m.next = "push_fetch"
                        with m.Case(Operation.PULL):
                            m.d.sync += left.eq(word)
                            m.next = "pull"
                            with m.If(
                                ~need_words(2) | (word[8:] != 0) | (word[:8] > MAX_PAYLOAD_WORDS)
                            ):
                                answer(0, refused=True)
                        with m.Default():
                            answer(0, refused=True)
            with m.State("restart"):
                m.d.comb += [self.register_write.eq(1), self.register_data_i.eq(1)]
                m.next = "written"
            with m.State("read"):
                m.d.comb += self.register_read.eq(1)
                m.next = "read_put"
                with m.If(left == 0):
                    answer(count)
            with m.State("read_put"):
                put(count, self.register_data_o)
                m.d.sync += [
                    count.eq(count + 1),
                    left.eq(left - 1),
                    self.register_address.eq(self.register_address + 4),
                ]
                m.next = "read"
            with m.State("write"):
                m.d.comb += [self.register_write.eq(1), self.register_data_i.eq(word)]
                m.next = "written"
            with m.State("written"):
                answer(0)
            with m.State("push_fetch"):
                # the memory reads what `at` says; its word is there in the next state
                m.next = "push"
                with m.If(left == 0):
                    m.next = "pushed"
            with m.State("push"):
                m.d.comb += self.push_valid.eq(1)
                m.d.sync += patience.eq(patience - 1)
                with m.If(self.push_ready):
                    m.d.sync += [
                        at.eq(at + 1),
                        left.eq(left - 1),
                        count.eq(count + 1),
                        patience.eq(PATIENCE_CYCLES),
                    ]
                    m.next = "push_fetch"
                with m.Elif(patience == 0):
                    m.next = "pushed"
            with m.State("pushed"):
                put(0, count)
                m.next = "push_answer"
            with m.State("push_answer"):
                answer(1)
            with m.State("pull"):
                m.d.sync += patience.eq(patience - 1)
                with m.If((left == 0) | (patience == 0)):
                    m.next = "pulled"
                with m.Elif(self.pull_valid):
                    m.d.comb += self.pull_ready.eq(1)
                    put(count, self.pull_data)
                    m.d.sync += [
                        count.eq(count + 1),
                        left.eq(left - 1),
                        # once there are results, a short pause ends them
                        patience.eq(16),
                    ]
            with m.State("pulled"):
                answer(count)
            with m.State("send"):
                m.d.comb += [self.send.eq(1), self.frame_taken.eq(1)]
                m.next = "sending"
            with m.State("sending"), m.If(~self.send_busy):
                m.next = "wait"
        return m
