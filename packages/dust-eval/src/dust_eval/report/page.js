"use strict";
// A slider over two pictures moves the edge between them.
for (const slider of document.querySelectorAll(".slider input")) {
  const move = () => slider.parentElement.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", move);
  move(); // a browser may restore an earlier value
}
// A page that `dust report --serve` gave out loads anew when the server's stamp differs from its own.
const stamp = document.documentElement.dataset.stamp;
if (stamp) {
  const ask = async () => {
    try {
      const answer = await fetch("stamp", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== stamp) return location.reload();
      document.documentElement.dataset.lost = answer.ok ? "" : "1";
    } catch {
      document.documentElement.dataset.lost = "1";
    }
    setTimeout(ask, 2000);
  };
  setTimeout(ask, 2000);
}
