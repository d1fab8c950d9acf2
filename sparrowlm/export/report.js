const page = document.documentElement;
if (navigator.language) page.lang = navigator.language.startsWith("zh") ? "zh" : "en";
document.getElementById("language").addEventListener("click", () => {
  page.lang = page.lang === "zh" ? "en" : "zh";
});
