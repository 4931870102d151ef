"""llama.cpp on the same GGUF file, in a process of its own: `python -m core.bench inference --llama-cpp PYTHON`.

PYTHON is an interpreter that has llama-cpp-python (`pip install llama-cpp-python` builds it in about five minutes). Where the
processor names AMX but the machine around it does not let programs use it, such a build crashes: then build with
CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_AVX512=ON -DGGML_AVX512_VNNI=ON".
Each request is a line "greedy" or "prefill" with token ids in JSON; the answer is a line when it is done.
"""

import json
import subprocess
import sys


class LlamaCpp:
    """Asks the other process and waits."""

    def __init__(self, python: str, gguf: str, threads: int):
        self.process = subprocess.Popen([python, __file__, gguf, str(threads)], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True)
        self._answer()

    def greedy(self, ids: list[int], n: int) -> list[int]:
        return self._ask("greedy", ids, n)

    def prefill(self, ids: list[int]) -> list[int]:
        return self._ask("prefill", ids, 0)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _ask(self, *request) -> list[int]:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[int]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("llama.cpp ended; has this interpreter llama-cpp-python, built for this processor?")
        return json.loads(line)


def serve(gguf: str, threads: int) -> None:
    from llama_cpp import Llama

    model = Llama(gguf, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    print("[]", flush=True)
    for line in sys.stdin:
        kind, ids, n = json.loads(line)
        model.reset()
        written = []
        if kind == "prefill":
            model.eval(ids)
        else:
            for token in model.generate(ids, temp=0.0, repeat_penalty=1.0):
                written.append(token)
                if len(written) == n:
                    break
        print(json.dumps(written), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
