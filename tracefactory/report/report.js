"use strict";
// Sorting and filtering of the table of shards. The page is whole without it.
(function () {
  var table = document.getElementById("shard-table");
  if (table) {
    var body = table.tBodies[0];
    var rows = Array.from(body.rows);
    var count = document.getElementById("shard-count");
    var controls = document.getElementById("shard-controls");
    var find = controls.querySelector("input[type=search]");
    var view = controls.querySelector("select");
    var marked = controls.querySelector("input[type=checkbox]");

    var filter = function () {
      var word = find.value.trim().toLowerCase();
      var left = 0;
      rows.forEach(function (row) {
        row.hidden =
          (word && row.dataset.path.indexOf(word) < 0) ||
          (view.value && row.dataset.view !== view.value) ||
          (marked.checked && !row.dataset.marked);
        if (!row.hidden) left += 1;
      });
      count.textContent = left + " of " + rows.length + " files shown";
    };

    var value = function (row, at) {
      var cell = row.cells[at];
      var text = cell.dataset.v;
      if (text === undefined) return cell.textContent.trim().toLowerCase();
      return text === "" ? null : Number(text);
    };

    var sort = function (heading) {
      var at = heading.cellIndex;
      var down = heading.getAttribute("aria-sort") === "ascending";
      Array.from(heading.parentNode.cells).forEach(function (other) {
        other.removeAttribute("aria-sort");
      });
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort(function (a, b) {
        var x = value(a, at);
        var y = value(b, at);
        if (x === null || y === null) return (x === null) - (y === null); // not measured: last
        var order = x < y ? -1 : x > y ? 1 : 0;
        return down ? -order : order;
      });
      rows.forEach(function (row) {
        body.appendChild(row);
      });
    };

    Array.from(table.tHead.rows[0].cells).forEach(function (heading) {
      if (!heading.hasAttribute("data-sort")) return;
      var button = document.createElement("button");
      button.type = "button";
      while (heading.firstChild) button.appendChild(heading.firstChild);
      button.addEventListener("click", function () {
        sort(heading);
      });
      heading.appendChild(button);
    });
    controls.hidden = false;
    controls.addEventListener("input", filter);
    controls.addEventListener("change", filter);
    filter();
  }
  // What is folded on the screen is open on paper.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (each) {
      each.open = true;
    });
  });
})();
